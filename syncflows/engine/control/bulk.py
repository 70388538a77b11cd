"""One act on many runs: what it would do, then run by run, each in its own transaction. One that is refused never stops the others.

Must not decide anything itself: it calls the single acts and their checks.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import InterfaceError, OperationalError

from meshline.kernel.errors import MeshlineError
from ownership.models import User
from syncflows.engine.control import acts, checks
from syncflows.engine.control.checks import Known
from syncflows.engine.control.enums import RunAct
from syncflows.engine.models import Run

log = logging.getLogger(__name__)
CHUNK = 500
READ = (
    "public_id", "flow", "status", "hold_reason", "waits_for", "due_at", "status_reason", "amount", "currency", "tries", "lane", "canonical_key",
)  # fmt: skip


@dataclass
class Preview:
    """What an act would do: `amounts` by currency of the runs it would be done to; `refusals` sentence to count; `total` of those that exist."""

    total: int = 0
    allowed: int = 0
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.total - self.allowed


@dataclass(frozen=True)
class Result:
    """`problem` why it was not done (empty: done)."""

    ident: str
    problem: str = ""
    code: str = ""


def preview(idents: Sequence[str], act: RunAct, *, by: User) -> Preview:
    """Count what `by` may do to these runs now, and why not to the others. Four queries per 500 runs; writes nothing."""
    found = Preview()
    for chunk in _chunks(idents):
        known = Known.of(chunk)
        for run in chunk:
            found.total += 1
            try:
                checks.check_user_can_act(by, run, act, known)
            except MeshlineError as error:
                found.refusals[error.message.replace(run.public_id, "It")] += 1
            else:
                found.allowed += 1
                if run.amount is not None:
                    found.amounts[run.currency] += run.amount
    return found


def perform(idents: Sequence[str], act: RunAct, *, by: User, reason: str, restart_budget: bool = False) -> list[Result]:
    """Do it to each, in the order given; a run that is gone is told too. Locks: one run at a time."""
    numbers = dict(Run.objects.filter(public_id__in=idents).values_list("public_id", "pk"))
    return [_one(ident, numbers.get(ident), act, by, reason, restart_budget) for ident in idents]


def _one(ident: str, number: int | None, act: RunAct, by: User, reason: str, restart_budget: bool) -> Result:
    if number is None:
        return Result(ident, f"There is no run {ident}.", "not_found")
    try:
        acts.do(act, number, by=by, reason=reason, restart_budget=restart_budget)
    except MeshlineError as error:
        return Result(ident, error.message, error.code)
    except (OperationalError, InterfaceError):
        raise  # the database is gone: nothing that follows could be done
    except Exception:
        log.exception("bulk %s of %s", act, ident)
        said = "Meshline failed unexpectedly on this one; nothing of it was changed. The log has the trace."
        return Result(ident, said, "unexpected_error")
    return Result(ident)


def _chunks(idents: Sequence[str]) -> Iterator[list[Run]]:
    for start in range(0, len(idents), CHUNK):
        yield list(Run.objects.filter(public_id__in=idents[start : start + CHUNK]).only(*READ).order_by("pk"))
