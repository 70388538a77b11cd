"""What each answer of Tryton means in our tree. The bodies are those that Tryton 8.0 sends."""

import httpx
import pytest

from syncflows.connectors.errors import (
    Accounting,
    AuthRefused,
    ConnectorError,
    Misconfigured,
    Outage,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Transient,
)
from syncflows.connectors.tryton import errors


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (
            ["UserError", ['A value is required for field "Party" in record "[x]" of "Sale".', "", None]],
            Rejected,
            "rejected",
        ),
        (
            [
                "UserError",
                ['To continue, you must create a period for the date "03/01/2017" and company "X".', "", None],
            ],
            Accounting,
            "accounting",
        ),
        (
            ["UserError", ['You cannot modify invoice "7" because it is posted, paid or cancelled.', "", None]],
            Accounting,
            "accounting",
        ),
        (
            ["UserError", ['You are not allowed to access "Sale".', "Within groups: ", None]],
            AuthRefused,
            "access_refused",
        ),
        (["UserWarning", ["0a1b.credit_limit_amount", "will exceed", ""]], errors.WarningAsked, "warning_not_accepted"),
        (["ConcurrencyException", "Records were modified in the meanwhile"], Transient, "lock_conflict"),
        (["LoginException", ["password", "Password for sync", "password"]], AuthRefused, "authentication_refused"),
        (["database is locked", ""], Transient, "lock_conflict"),
        (["could not serialize access due to concurrent update", ""], Transient, "lock_conflict"),
        (["'nope'", ""], Rejected, "server_error_there"),
        ("odd", Rejected, "server_error_there"),
    ],
)
def test_from_answer_puts_it_in_our_tree(answer: object, kind: type[ConnectorError], code: str) -> None:
    found = errors.from_answer(answer, method="model.sale.sale.create")
    assert (type(found), found.code) == (kind, code)


def test_from_answer_of_a_warning_names_how_to_accept_it() -> None:
    found = errors.from_answer(["UserWarning", ["0a1b.credit_limit_amount", "will exceed", ""]], method="x")
    assert isinstance(found, errors.WarningAsked)
    assert (found.warning, found.context["warning"]) == ("0a1b.credit_limit_amount", "credit_limit_amount")
    assert "options.accept_warnings" in found.message


@pytest.mark.parametrize(
    ("status", "writing", "reading"),
    [
        (401, errors.SessionEnded, errors.SessionEnded),
        (403, Misconfigured, Misconfigured),
        (404, Misconfigured, Misconfigured),
        (422, Rejected, Rejected),
        (429, RateLimited, RateLimited),
        (302, Misconfigured, Misconfigured),
        (500, OutcomeUnknown, Transient),
        (502, OutcomeUnknown, Transient),
        (503, Outage, Outage),
        (504, OutcomeUnknown, Transient),
    ],
)
def test_from_status_tells_writes_from_reads(
    status: int, writing: type[ConnectorError], reading: type[ConnectorError]
) -> None:
    response = httpx.Response(status, text="sorry")
    assert type(errors.from_status(response, method="m", writes=True)) is writing
    assert type(errors.from_status(response, method="m", writes=False)) is reading


def test_from_status_honours_retry_after() -> None:
    found = errors.from_status(httpx.Response(429, headers={"Retry-After": "7"}), method="m", writes=True)
    assert isinstance(found, RateLimited)
    assert found.retry_after_s == 7


@pytest.mark.parametrize(
    ("error", "writing", "reading"),
    [
        (httpx.ConnectError("refused"), Outage, Outage),
        (httpx.ConnectTimeout("slow"), Outage, Outage),
        (httpx.PoolTimeout("full"), Transient, Transient),
        (httpx.ReadTimeout("slow"), OutcomeUnknown, Transient),
        (httpx.RemoteProtocolError("hung up"), OutcomeUnknown, Transient),
        (httpx.WriteError("broken pipe"), OutcomeUnknown, Transient),
    ],
)
def test_from_transport_knows_what_was_never_sent(
    error: httpx.RequestError, writing: type[ConnectorError], reading: type[ConnectorError]
) -> None:
    assert type(errors.from_transport(error, method="m", writes=True, address="a")) is writing
    assert type(errors.from_transport(error, method="m", writes=False, address="a")) is reading


def test_unreadable_answer_to_a_write_is_unknown() -> None:
    assert isinstance(errors.unreadable(httpx.Response(200, text="<html>"), method="m", writes=True), OutcomeUnknown)
