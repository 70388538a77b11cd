"""What a call says of its system: well, failed, unreachable, or nothing. Pure.

A refused document is an answer: the system is well. Time-outs, 5xx, and writes whose outcome is unknown are failures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from syncflows.connectors.errors import OURS, AuthRefused, Outage, OutcomeUnknown, RateLimited, Rejected, Transient

if TYPE_CHECKING:
    from syncflows.engine.execute import Result


class Verdict(StrEnum):
    """`busy`: it answered that it takes no more for now, which is neither well nor failed."""

    WELL = "well"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    NOTHING = "nothing"


@dataclass
class Tally:
    """What one wave of calls saw of a system. `quiet_s` how long it asked us to wait; `counts` for the window, `t<step>` by duration."""

    well: int = 0
    failed: int = 0
    unreachable: int = 0
    refused_credential: bool = False
    quiet_s: float = 0.0
    message: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, verdict: Verdict, *, error: BaseException | None = None) -> None:
        self.well += verdict == Verdict.WELL
        self.failed += verdict in (Verdict.FAILED, Verdict.UNREACHABLE)
        self.unreachable += verdict == Verdict.UNREACHABLE
        self.refused_credential |= isinstance(error, AuthRefused)
        self.quiet_s = max(self.quiet_s, quiet_s(error))
        if verdict in (Verdict.FAILED, Verdict.UNREACHABLE, Verdict.BUSY) and error is not None:
            self.message = str(error)

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1


def of(result: Result) -> Verdict:
    return of_error(result.error)


def of_error(error: BaseException | None) -> Verdict:
    """None: an answer."""
    if error is None or isinstance(error, Rejected):
        return Verdict.WELL
    if getattr(error, "code", "") in OURS:
        return Verdict.NOTHING
    if isinstance(error, Outage):
        return Verdict.UNREACHABLE
    if isinstance(error, RateLimited):
        return Verdict.BUSY
    if isinstance(error, OutcomeUnknown):
        return Verdict.FAILED
    return _of_transient(error) if isinstance(error, Transient) else Verdict.NOTHING


def quiet_s(error: BaseException | None) -> float:
    """How long the far side asks all of us to wait (429 or 503 with Retry-After); 0 where it does not."""
    if not isinstance(error, Transient) or error.code in OURS or not error.retry_after_s:
        return 0.0
    return error.retry_after_s if isinstance(error, RateLimited) or _status(error) in (0, 429, 503) else 0.0


def _of_transient(error: Transient) -> Verdict:
    """423 and 425 speak of one document; no status at all means that no answer came."""
    status = _status(error)
    return Verdict.WELL if 0 < status < 500 else Verdict.FAILED


def _status(error: Transient) -> int:
    found = (error.context or {}).get("status")
    return found if isinstance(found, int) else 0
