"""Which error an answer means. After a write, only a promise that nothing happened is anything but unknown."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from syncflows.connectors.errors import (
    AuthRefused,
    ConnectorError,
    Duplicate,
    Misconfigured,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Transient,
)
from syncflows.connectors.http import answers
from syncflows.connectors.http.secrets import MASK, Redactor
from syncflows.connectors.http.transport import Reply
from syncflows.governance.schemas.systems import ErrorRule

WRITES = {
    200: OutcomeUnknown, 202: OutcomeUnknown, 300: OutcomeUnknown, 302: OutcomeUnknown, 303: OutcomeUnknown, 307: Misconfigured, 400: Rejected,
    401: AuthRefused, 402: Rejected, 403: AuthRefused, 404: NotFound, 405: Rejected, 408: OutcomeUnknown, 409: Rejected, 410: NotFound,
    412: Rejected, 415: Rejected, 422: Rejected, 423: Transient, 425: Transient, 429: RateLimited, 500: OutcomeUnknown, 501: OutcomeUnknown,
    502: OutcomeUnknown, 503: Transient, 504: OutcomeUnknown, 520: OutcomeUnknown, 599: OutcomeUnknown,
}  # fmt: skip
READS = {
    302: Misconfigured,
    401: AuthRefused,
    404: NotFound,
    408: Transient,
    422: Rejected,
    429: RateLimited,
    500: Transient,
    503: Transient,
    504: Transient,
}


def reply(status: int, answer: Any = None, headers: dict[str, str] | None = None, body: bytes | None = None) -> Reply:
    return Reply(status, headers or {}, json.dumps(answer).encode() if body is None else body)


def raised(
    given: Reply, *, writes: bool = True, rules: list[ErrorRule] | None = None, secret: str = ""
) -> ConnectorError:
    redactor = Redactor()
    redactor.learn(secret)
    judge = answers.Judge("erp", redactor)
    with pytest.raises(ConnectorError) as caught:
        judge.check(given, purpose="create_order", writes=writes, success=[201], rules=rules or [])
    return caught.value


@pytest.mark.parametrize(("status", "kind"), WRITES.items())
def test_check_of_a_write_by_status(status: int, kind: type[ConnectorError]) -> None:
    error = raised(reply(status, {"error": {"message": "Something said"}}))
    assert type(error) is kind
    assert error.retryable == isinstance(error, Transient | OutcomeUnknown)


@pytest.mark.parametrize(("status", "kind"), READS.items())
def test_check_of_a_read_by_status(status: int, kind: type[ConnectorError]) -> None:
    assert type(raised(reply(status, {}), writes=False)) is kind


@pytest.mark.parametrize("body", [b"<html>", b"{", b'{"a": NaN}', b'{"a":1,"a":2}', b"\xff\xfe"])
def test_check_of_a_success_that_cannot_be_read(body: bytes) -> None:
    assert type(raised(reply(201, body=body))) is OutcomeUnknown
    assert type(raised(reply(201, body=body), writes=False)) is Transient


def test_check_of_a_success_that_broke_off_is_unknown() -> None:
    assert type(raised(Reply(201, {}, b'{"id": 1}', complete=False))) is OutcomeUnknown


def test_check_gives_exact_numerals_as_text() -> None:
    judge = answers.Judge("erp", Redactor())
    found = judge.check(reply(201, body=b'{"total": 1054.10, "n": 3}'), purpose="x", writes=True, success=[201])
    assert found == {"total": "1054.10", "n": 3}


def test_check_asks_the_definitions_rules_first() -> None:
    rules = [
        ErrorRule(when="answer.missing.field == 1", raises="transient"),
        ErrorRule(when="status == 409 && answer.code == 'DUP'", raises="duplicate", message="'exists as ' + answer.no"),
    ]
    error = raised(reply(409, {"code": "DUP", "no": "SO-1"}), rules=rules)
    assert type(error) is Duplicate
    assert "exists as SO-1" in error.message
    assert (
        type(raised(reply(201, {"ok": False}), rules=[ErrorRule(when="answer.ok == false", raises="rejected")]))
        is Rejected
    )


def test_check_says_what_the_far_side_said() -> None:
    error = raised(
        reply(
            422,
            {
                "error": {
                    "code": "bad",
                    "message": "Not accepted",
                    "details": [{"field": "total", "message": "is wrong"}],
                }
            },
        )
    )
    assert "Not accepted" in error.message
    assert error.context["status"] == 422
    assert error.context["code"] == "bad"
    assert {"field": "total", "message": "is wrong"} in error.context["details"]


def test_check_quotes_at_most_300_characters() -> None:
    error = raised(reply(400, {"message": "many words " * 500}))
    assert len(error.message) < 400
    assert len(raised(reply(500, body=b"x " * 10_000)).message) < 400
    assert len(error.context["excerpt"]) <= 300


def test_check_never_quotes_a_credential() -> None:
    error = raised(
        reply(401, {"error": {"message": "Token s3cr3t-token expired", "details": [{"s3cr3t-token": "s3cr3t-token"}]}}),
        secret="s3cr3t-token",
    )
    assert MASK in error.message
    assert "s3cr3t" not in error.message + repr(
        {**error.context, "details": [list(item.values()) for item in error.context["details"]]}
    )


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0", 0), ("", None), ("soon", None), ("-5", None), ("99999999", 366 * 86_400)]
)
def test_retry_after_s_reads_seconds(header: str, seconds: float | None) -> None:
    assert answers.retry_after_s({"retry-after": header}) == seconds


def test_retry_after_s_reads_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    assert 100 < (answers.retry_after_s({"retry-after": at}) or 0) <= 120
    assert answers.retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
