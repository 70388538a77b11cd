"""Error answers of many vendors, read for people."""

import json
from pathlib import Path
from typing import Any

import pytest

from syncflows.connectors.http import details
from tests.architecture.code import CHECKOUT

WIRE = CHECKOUT.parent / "shared" / "wire"
SHAPES: list[tuple[str, Any, str, str]] = [
    ("problem+json", {"type": "https://x/y", "title": "Invalid", "detail": "The total is wrong.", "status": 422}, "The total is wrong", ""),
    ("error object", {"error": {"code": "E1", "message": "No such customer"}}, "No such customer", "E1"),
    ("errors list", {"errors": [{"field": "total", "message": "is wrong"}, "another one"]}, "total: is wrong; another one", ""),
    ("Salesforce", [{"message": "No such column 'foo'", "errorCode": "INVALID_FIELD", "fields": ["foo"]}], "foo: No such column 'foo'", "INVALID_FIELD"),
    ("Jira", {"errorMessages": ["Issue does not exist"], "errors": {"summary": "is required"}}, "summary: is required", ""),
    ("SAP", {"error": {"code": "V1/555", "message": {"lang": "en", "value": "Order is locked"}}}, "Order is locked", "V1/555"),
    ("NetSuite", {"title": "Bad", "o:errorDetails": [{"detail": "This entity already exists.", "o:errorCode": "USER_ERROR"}]}, "This entity already exists", "USER_ERROR"),
    ("Django REST", {"total": ["A valid number is required."], "customer": ["Missing."]}, "total: A valid number is required; customer: Missing", ""),
    ("FastAPI", {"detail": [{"loc": ["body", "total"], "msg": "field required", "type": "missing"}]}, "body.total: field required", ""),
    ("Shopify", {"errors": {"line_items": ["can't be blank"]}}, "line_items: can't be blank", ""),
    ("OAuth", {"error": "invalid_grant", "error_description": "expired access token"}, "expired access token", "invalid_grant"),
    ("error text", {"error": "Order not found"}, "Order not found", ""),
    ("stranger", {"problems": [{"property": "grandTotal", "description": "does not add up"}]}, "grandTotal: does not add up", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "sentence", "code"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
def test_read_gives_a_sentence_and_a_code(answer: Any, sentence: str, code: str) -> None:
    said = details.read(answer)
    assert sentence in said.sentence
    assert not code or said.code == code


@pytest.mark.parametrize(
    "answer",
    [None, "", 5, [], {}, {"status": 500}, {"error": None}, [[[[[[[[["deep"]]]]]]]]], {"a": {"b": {"c": {"d": 1}}}}],
)
def test_read_takes_anything(answer: Any) -> None:
    assert len(details.read(answer).sentence) <= details.LENGTH_MAX


def test_read_is_bounded() -> None:
    said = details.read({"errors": [{"message": f"number {n} " * 100} for n in range(1000)]})
    assert len(said.details) <= details.LISTED_MAX
    assert len(said.sentence) <= details.LENGTH_MAX


RECORDED = [
    ("salesforce/restforce/write_error_response.json", "No such column 'foo'", "INVALID_FIELD"),
    ("salesforce/restforce/refresh_error_response.json", "expired access/refresh token", "invalid_grant"),
    ("zendesk/error_422_record_invalid.json", "closed prevents ticket update", "RecordInvalid"),
    ("zendesk/error_429_rate_limit.json", "Number of allowed incremental export API requests", "APIRateLimitExceeded"),
    (
        "netsuite/errors/idempotency_duplicate_400.json",
        "same idempotency key is already submitted",
        "IDEMPOTENCY_ERROR",
    ),
    ("salesforce/camel/composite_response_example_failure.json", "Foreign key external ID: 0116 not found", ""),
]


@pytest.mark.parametrize(("name", "sentence", "code"), RECORDED)
def test_read_of_recorded_answers(name: str, sentence: str, code: str) -> None:
    said = details.read(_recorded(WIRE / name))
    assert sentence in said.sentence
    assert not code or said.code == code


def _recorded(path: Path) -> Any:
    if not path.exists():
        pytest.skip("../shared/wire is not here")
    return json.loads(path.read_text())
