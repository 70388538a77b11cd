"""What an answer of Tryton means in our error tree. Thinks only; sends nothing.

Tryton runs each call in one transaction, so an *answered* error means: rolled back, it did not happen. A missing or unreadable answer to a write
means nothing of the kind, and is OutcomeUnknown.
"""

from __future__ import annotations

import re
from typing import Any

import httpx

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

EXCERPT_CHARACTERS = 300
WAIT_MAX_S = 366 * 86400.0  # nobody means more
# Tryton's own texts, in English: they carry no code. Another language turns these into plain Rejected.
ACCOUNTING = re.compile(
    r"fiscal ?year|\bperiods?\b|\bposted\b|\bclosed\b|reconciled|cannot (modify|delete|cancel)[^.]*(invoice|move)",
    re.IGNORECASE,
)
NO_ACCESS = re.compile(r'^You are not allowed to access "')
BUSY = re.compile(
    r"database is locked|could not serialize|deadlock detected|could not obtain lock|lock timeout|server closed the connection|connection already closed",
    re.IGNORECASE,
)
NOT_UNIQUE = re.compile(r"must be unique", re.IGNORECASE)


class SessionEnded(AuthRefused):
    """401 to a call with a session: it has expired, or the server does not know it any more. Log in again, once."""


class WarningAsked(Rejected):
    """Tryton asks for a confirmation before it goes on. `warning` is the full name that an acknowledgement must carry."""

    default_code = "warning_not_accepted"

    def __init__(self, message: str, *, warning: str, context: dict[str, Any]) -> None:
        super().__init__(message, context=context)
        self.warning = warning


def from_transport(error: httpx.RequestError, *, method: str, writes: bool, address: str) -> ConnectorError:
    """The request did not get an answer."""
    said = str(error) or type(error).__name__
    context = {"method": method, "error": said}
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Outage(f"Tryton at {address} cannot be reached: {said}.", context=context)
    if isinstance(error, httpx.PoolTimeout | httpx.UnsupportedProtocol):
        return Transient(f"No connection to Tryton at {address} was free: {said}.", context=context)
    return _unanswered(f"Tryton gave no answer to {method}: {said}.", writes=writes, context=context)


def from_status(response: httpx.Response, *, method: str, writes: bool) -> ConnectorError:
    """Any status but 200."""
    status = response.status_code
    context = {"method": method, "status": status, "body": response.text[:EXCERPT_CHARACTERS]}
    if status == 401:
        return SessionEnded(f"Tryton refuses our session or password ({method}).", context=context)
    if status == 403:
        return Misconfigured(
            f"Tryton does not offer {method} to other programs (403): is the module that holds it activated there?",
            context=context,
        )
    if status == 404:
        return Misconfigured(
            "Tryton has no such database (404): check spec.options.database and spec.base_url.", context=context
        )
    if status == 429:
        return RateLimited(
            "Tryton asks us to wait (429); after wrong passwords it does so even for the right one.",
            retry_after_s=_wait_s(response),
            context=context,
        )
    if status == 503:
        return Outage(
            "Tryton is there, and its database is not (503).", retry_after_s=_wait_s(response), context=context
        )
    if 300 <= status < 400:
        return Misconfigured(
            f"{method} was redirected ({status}): spec.base_url must be the server's final address.", context=context
        )
    if 400 <= status < 500:
        return Rejected(f"Tryton does not understand {method} ({status}).", context=context)
    return _unanswered(f"Tryton failed on {method} ({status}).", writes=writes, context=context)


def unreadable(response: httpx.Response, *, method: str, writes: bool) -> ConnectorError:
    """200, and not the answer of a Tryton: a proxy's page, half a body."""
    context = {"method": method, "status": response.status_code, "body": response.text[:EXCERPT_CHARACTERS]}
    return _unanswered(f"The answer to {method} is not Tryton's JSON.", writes=writes, context=context)


def from_answer(error: Any, *, method: str) -> ConnectorError:
    """The `error` member of an answer: [kind, facts]."""
    kind, facts = (str(error[0]), error[1:]) if isinstance(error, list) and error else (str(error), [])
    detail = facts[0] if facts else None
    if kind == "UserError":
        return _user_error(_texts(detail), method=method)
    if kind == "UserWarning":
        return _user_warning(_texts(detail), method=method)
    if kind == "ConcurrencyException":
        return Transient(
            "Somebody else changed the record in Tryton at the same moment.",
            code="lock_conflict",
            context={"method": method},
        )
    if kind == "LoginException":
        return AuthRefused("Tryton asks for another kind of log-in than a password.", context={"method": method})
    return _defect(kind, method=method)


def _user_error(texts: list[str], *, method: str) -> ConnectorError:
    message = texts[0] if texts else "no reason given"
    said = " ".join(text for text in texts[:2] if text).strip()
    context = {"method": method, "details": [{"field": "", "message": message}], "said": texts[:2]}
    if NO_ACCESS.match(message):
        return AuthRefused(
            f"The user that we log in with lacks a right in Tryton: {said} Give it the group, then resume.",
            code="access_refused",
            context=context,
        )
    if BUSY.search(message):
        return Transient(f"Tryton was busy: {said}", code="lock_conflict", context=context)
    kind = Accounting if ACCOUNTING.search(message) else Rejected
    return kind(f"Tryton refuses: {said}", context=context)


def _user_warning(texts: list[str], *, method: str) -> WarningAsked:
    warning, message = (*texts, "", "")[:2]
    name = warning.rpartition(".")[2]
    return WarningAsked(
        f"Tryton warns ({name}): {message} To let such documents through, add {name!r} to the system's options.accept_warnings, or accept it in Tryton.",
        warning=warning,
        context={"method": method, "warning": name, "details": [{"field": "", "message": message}]},
    )


def _defect(text: str, *, method: str) -> ConnectorError:
    """Any other Python exception of the server arrives as its text. The transaction is rolled back all the same."""
    context = {"method": method, "details": [{"field": "", "message": text[:EXCERPT_CHARACTERS]}]}
    if BUSY.search(text):
        return Transient(
            f"Tryton's database was busy: {text[:EXCERPT_CHARACTERS]}", code="lock_conflict", context=context
        )
    return Rejected(
        f"Tryton failed on {method} and rolled it back: {text[:EXCERPT_CHARACTERS]}",
        code="server_error_there",
        context=context,
    )


def _texts(detail: Any) -> list[str]:
    return [str(item) for item in detail if item is not None] if isinstance(detail, list) else [str(detail)]


def _unanswered(message: str, *, writes: bool, context: dict[str, Any]) -> ConnectorError:
    return (
        OutcomeUnknown(message + " It may have been done.", context=context)
        if writes
        else Transient(message, context=context)
    )


def _wait_s(response: httpx.Response) -> float | None:
    given = response.headers.get("Retry-After", "")
    return min(float(given), WAIT_MAX_S) if given.isdigit() else None
