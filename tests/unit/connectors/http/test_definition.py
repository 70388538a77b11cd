"""Definitions that cannot work are refused before anything is sent, with the path to what is wrong."""

from typing import Any

import pytest

from syncflows.connectors.errors import Misconfigured
from syncflows.connectors.http import build
from syncflows.connectors.protocol import Call, Guard
from syncflows.governance.schemas.systems import System

FIND = {"path": "/orders", "external_id": "item.id"}
POST = {"method": "POST", "path": "/orders", "external_id": "answer.id"}


def spec(**operation: Any) -> dict[str, Any]:
    return {"base_url": "http://127.0.0.1:9", "operations": {"create": {**POST, **operation}}}


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (spec(path="orders"), "spec.operations.create.path"),
        (spec(path="/orders/{nothing}"), "nothing"),
        (spec(headers={"X": "{nothing}"}), "spec.operations.create.headers.X"),
        (spec(find={**FIND, "query": {"q": "{nothing}"}}), "spec.operations.create.find.query.q"),
        (spec(external_id=None), "spec.operations.create.external_id"),
        (spec(method="SEND"), "operations.create.method"),
        ({"base_url": "erp.example.com"}, "spec.base_url"),
        ({"health": "ping"}, "spec.health"),
        ({"auth": {"type": "bearer"}}, "spec.auth.token"),
        ({"auth": {"type": "header", "value": {"env": "X"}}}, "spec.auth.name"),
        (
            {
                "auth": {
                    "type": "oauth2_client_credentials",
                    "token_url": "/token",
                    "client_id": {"env": "A"},
                    "client_secret": {"env": "B"},
                }
            },
            "spec.auth.token_url",
        ),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_build_names_what_is_wrong(bad: dict[str, Any], path: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        build(name="erp", spec=bad)
    assert path in refused.value.message


def test_build_takes_a_mapping_a_model_and_a_model_written_out() -> None:
    model = System.model_validate(spec(find=FIND))
    for given in (spec(find=FIND), model, model.model_dump(mode="json", by_alias=True)):
        assert set(build(name="erp", spec=given).operations()) == {"create"}


@pytest.mark.parametrize(
    ("operation", "guard", "writes"),
    [
        ({"find": FIND}, Guard.LOOKUP, True),
        ({}, Guard.NONE, True),
        ({"guard": "idempotency_key"}, Guard.IDEMPOTENCY_KEY, True),
        ({"guard": "upsert_by_external_id", "method": "PUT"}, Guard.UPSERT, True),
        ({"guard": "unique_reference"}, Guard.UNIQUE_REFERENCE, True),
        ({"guard": "none", "find": FIND}, Guard.NONE, True),
        ({"method": "GET", "find": FIND}, Guard.NONE, False),
        ({"items": "answer.items"}, Guard.NONE, False),
    ],
)
def test_operations_say_what_guards_a_repeat(operation: dict[str, Any], guard: Guard, writes: bool) -> None:
    found = build(name="erp", spec=spec(**operation)).operations()["create"]
    assert (found.guard, found.writes) == (guard, writes)


def test_a_missing_secret_names_variable_and_path_and_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESHLINE_TEST_TOKEN", raising=False)
    given = {**spec(), "auth": {"type": "bearer", "token": {"env": "MESHLINE_TEST_TOKEN"}}}
    with pytest.raises(Misconfigured, match=r"spec\.auth\.token.*MESHLINE_TEST_TOKEN"):
        build(name="erp", spec=given).execute(Call("create", {}, "R-1", "k"))


def test_a_secret_with_a_line_break_is_refused_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_TEST_TOKEN", "abc\r\nX-Evil: 1")
    given = {**spec(), "auth": {"type": "bearer", "token": {"env": "MESHLINE_TEST_TOKEN"}}}
    with pytest.raises(Misconfigured) as refused:
        build(name="erp", spec=given).execute(Call("create", {}, "R-1", "k"))
    assert "abc" not in refused.value.message


@pytest.mark.parametrize("document", [{"a": float("nan")}, {"a": float("inf")}])
def test_a_document_that_is_no_json_is_not_sent(document: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="Nothing was sent"):
        build(name="erp", spec=spec()).execute(Call("create", document, "R-1", "k"))


def test_reads_and_writes_are_not_mistaken_for_each_other() -> None:
    given = {**spec(), "operations": {"create": POST, "read": {"method": "GET", "path": "/orders/{external_id}"}}}
    connector = build(name="erp", spec=given)
    for action in (
        lambda: connector.get("create", external_id="1"),
        lambda: connector.execute(Call("read", {}, "R", "k")),
    ):
        with pytest.raises(Misconfigured, match="Nothing was sent"):
            action()
