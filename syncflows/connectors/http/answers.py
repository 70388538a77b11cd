"""What an answer means: success, or one of our errors. The definition's rules come first, then HTTP's own semantics (RFC 9110).

The line that matters: after a write, only an answer that promises that nothing happened may be anything but OutcomeUnknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from meshline.kernel import expressions
from meshline.kernel.errors import MeshlineError
from meshline.kernel.jsontext import BadJSON
from syncflows.connectors.errors import (
    Accounting,
    AuthRefused,
    ConnectorError,
    Duplicate,
    Misconfigured,
    NotFound,
    Outage,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Transient,
)
from syncflows.connectors.http import details
from syncflows.connectors.http.details import LENGTH_MAX, Said
from syncflows.connectors.http.secrets import Redactor
from syncflows.connectors.http.transport import Reply
from syncflows.governance.schemas.systems import ErrorRule

RAISES: dict[str, type[ConnectorError]] = {
    "transient": Transient,
    "rate_limited": RateLimited,
    "outage": Outage,
    "auth_refused": AuthRefused,
    "rejected": Rejected,
    "accounting": Accounting,
    "duplicate": Duplicate,
    "not_found": NotFound,
    "unknown": OutcomeUnknown,
}
BY_STATUS: dict[int, type[ConnectorError]] = {
    401: AuthRefused,
    403: AuthRefused,
    404: NotFound,
    407: Outage,
    410: NotFound,
    423: Transient,  # locked (WebDAV, RFC 4918): nothing was changed
    425: Transient,  # too early (RFC 8470)
    429: RateLimited,
    503: Transient,
}
# Statuses that do not promise that nothing happened: 408 comes from proxies too, and a 3xx may follow a finished POST.
PROMISES_NOTHING = frozenset({408})
SAYS: dict[type[ConnectorError], str] = {
    Transient: "could not be done now",
    RateLimited: "was put off: too many calls",
    Outage: "is not available",
    AuthRefused: "was refused: our credential is not accepted or may not do this",
    NotFound: "found nothing there",
    Rejected: "was refused",
    Accounting: "was refused by the books",
    Duplicate: "was refused: that document exists already",
    OutcomeUnknown: "may have taken effect; look it up first",
}
RETRY_AFTER_MAX_S = 366 * 86400.0  # nobody means more; a larger number is a mistake of the far side


@dataclass(frozen=True)
class Judge:
    """Judges the answers of one system. rules: the system's own, after the operation's."""

    system: str
    redactor: Redactor
    rules: Sequence[ErrorRule] = ()

    def check(
        self, reply: Reply, *, purpose: str, writes: bool, success: Sequence[int], rules: Sequence[ErrorRule] = ()
    ) -> Any:
        """The answer's JSON (None for an empty one) of a success. Raises the error it means."""
        error = self.error_by_rule(reply, purpose=purpose, rules=[*rules, *self.rules])
        if error is None and reply.status not in success:
            error = self.error_by_status(reply, purpose=purpose, writes=writes)
        if error is not None:
            raise error
        try:
            return reply.answer()
        except BadJSON as broken:
            raise self.unreadable(reply, purpose=purpose, writes=writes, why=broken.message) from broken

    def error_by_rule(self, reply: Reply, *, purpose: str, rules: Sequence[ErrorRule]) -> ConnectorError | None:
        if not rules:
            return None
        scope = expressions.Scope(scope_of(reply))
        for rule in rules:
            if _holds(rule.when, scope):
                return self._error(RAISES[rule.raises], reply, purpose=purpose, said=self._said(reply, rule, scope))
        return None

    def error_by_status(self, reply: Reply, *, purpose: str, writes: bool) -> ConnectorError:
        status, said = reply.status, details.read(reply.answer_or_none())
        if status in (307, 308) or (300 <= status < 400 and not writes):
            return self._redirected(reply, purpose=purpose)
        kind = BY_STATUS.get(status)
        if kind is None and 400 <= status < 500 and status not in PROMISES_NOTHING:
            kind = Rejected
        if kind is None:
            kind = OutcomeUnknown if writes else Transient
        return self._error(kind, reply, purpose=purpose, said=said)

    def unreadable(self, reply: Reply, *, purpose: str, writes: bool, why: str) -> ConnectorError:
        """A success that cannot be trusted."""
        if writes:
            message = f"{self.system}: {purpose} was answered {reply.status}, but {_lower(why)} It may have taken effect; look it up first."
            return OutcomeUnknown(self.redactor.scrub(message), context=self._context(reply, Said()))
        message = f"{self.system}: {purpose} was answered {reply.status}, but {_lower(why)}"
        return Transient(self.redactor.scrub(message), code="unreadable_answer", context=self._context(reply, Said()))

    def _error(self, kind: type[ConnectorError], reply: Reply, *, purpose: str, said: Said) -> ConnectorError:
        quoted = said.sentence or details.clip(_text(reply))
        message = f"{self.system}: {purpose} {SAYS[kind]} ({reply.status}){': ' + quoted if quoted else ''}"
        message = self.redactor.scrub(message if message.endswith((".", "…")) else f"{message}.")
        context = self._context(reply, said)
        if issubclass(kind, Transient):
            return kind(message, retry_after_s=retry_after_s(reply.headers), context=context)
        return kind(message, context=context)

    def _redirected(self, reply: Reply, *, purpose: str) -> Misconfigured:
        target = details.clip(reply.headers.get("location", "another address"))
        message = f"{self.system}: {purpose} was redirected to {target} ({reply.status}), which is not followed. Correct base_url or path."
        return Misconfigured(self.redactor.scrub(message), context=self._context(reply, Said()))

    def _said(self, reply: Reply, rule: ErrorRule, scope: expressions.Scope) -> Said:
        said = details.read(reply.answer_or_none())
        try:
            text = expressions.compiled(rule.message).evaluate(scope) if rule.message else None
        except MeshlineError:
            text = None
        return Said(details.clip(str(text)), said.code, said.details) if text else said

    def _context(self, reply: Reply, said: Said) -> dict[str, Any]:
        scrub = self.redactor.scrub
        listed = [{name: scrub(text) for name, text in item.items()} for item in said.details]
        return {
            "status": reply.status,
            "code": scrub(said.code),
            "details": listed,
            "excerpt": scrub(_text(reply))[:LENGTH_MAX],
        }


def scope_of(reply: Reply) -> dict[str, Any]:
    """What rules and expressions over an answer read."""
    return {"status": reply.status, "answer": reply.answer_or_none(), "headers": dict(reply.headers)}


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds from Retry-After (RFC 9110 10.2.3: seconds or a date), at most a year; None where absent or unreadable."""
    raw = headers.get("retry-after", "").strip()
    if raw.replace(".", "", 1).isdigit():
        return min(float(raw), RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(raw)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), RETRY_AFTER_MAX_S)


def _holds(source: str, scope: expressions.Scope) -> bool:
    """A rule that asks for a field the answer lacks is not about this answer."""
    try:
        return expressions.compiled(source).evaluate(scope) is True
    except MeshlineError:
        return False


def _text(reply: Reply) -> str:
    return reply.body[: LENGTH_MAX * 8].decode("utf-8", "replace")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
