"""Where a soft step of a run goes: on to the write protocol once its document is promoted, else into the soft ledger. The engine's one question.

Decides from what the carry holds already; never queries.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import IN_FLIGHT, SETTLED, AttemptStatus, RunStatus
from syncflows.engine.models import Step
from syncflows.engine.plans import is_late
from syncflows.engine.soft import marks
from syncflows.enums import HoldReason

UNANSWERED = (AttemptStatus.SENT, AttemptStatus.UNKNOWN)


def stops(carry: Carry, step: Step, *, complete: Callable[[Step], None]) -> bool:
    """Whether this step waits in the soft ledger instead of being called; the carry then rests, and names what is to be staged.

    `complete` works out the document of a step that reads earlier answers. What may have been sent already is never stopped: it is probed.
    """
    if not marks.is_soft(carry.run, carry.flow.spec, step) or _under_way(carry, step):
        return False
    if is_late(step):
        complete(step)
    decided = marks.decision(carry.run, step)
    if decided and not (marks.is_adoption(decided) and _looked(carry, step)):
        return False
    carry.staged = [found for found in carry.steps[carry.steps.index(step) :] if _can_stage(carry, found)]
    carry.rest = Rest(RunStatus.HELD, _reason(step, gone=bool(decided)), hold_reason=HoldReason.STAGED, counts=False)
    return True


def looks_first(carry: Carry, step: Step) -> bool:
    """Whether a decided document is looked up in the target before it is written: always, as somebody may have entered it meanwhile."""
    return marks.decision(carry.run, step) is not None and not _looked(carry, step)


def only_adopts(carry: Carry, step: Step) -> bool:
    decided = marks.decision(carry.run, step)
    return decided is not None and marks.is_adoption(decided)


def _reason(step: Step, *, gone: bool) -> str:
    if gone:
        return f"Staged again: {step.reference} is not in {step.system} any more, so there was nothing to adopt"
    return f"Staged: {step.operation} {step.reference} for {step.system} waits in the soft ledger until it is promoted"


def _can_stage(carry: Carry, step: Step) -> bool:
    undone = step.status not in SETTLED and not is_late(step) and not _under_way(carry, step)
    return undone and marks.is_soft(carry.run, carry.flow.spec, step)


def _under_way(carry: Carry, step: Step) -> bool:
    last = carry.attempts.get(step.pk)
    return step.status in IN_FLIGHT or step.sent_before is not None or (last is not None and last.status in UNANSWERED)


def _looked(carry: Carry, step: Step) -> bool:
    """Whether somebody has looked since the decision."""
    decided, last = marks.decision(carry.run, step), carry.attempts.get(step.pk)
    if decided is None or last is None or last.answered_at is None:
        return False
    return last.answered_at > datetime.fromisoformat(decided["at"])
