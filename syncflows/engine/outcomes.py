"""What a try at a write means: done, unknown, again later, or given up with class and reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from meshline.kernel.errors import MeshlineError
from syncflows.connectors import errors as far
from syncflows.connectors.protocol import Answer
from syncflows.engine import retry
from syncflows.engine.retry import Budget
from syncflows.enums import ExceptionClass, Severity

PROBE_SOON_S = 1.0
RECORDS_SHOWN = 10
LOOK_AGAIN_S = 0.2


@dataclass(frozen=True)
class Done:
    """The far side confirmed it. `found`: by a probe, not by the write's own answer."""

    answer: Answer
    found: bool = False


@dataclass(frozen=True)
class Unknown:
    """It may have happened. Probe at `due_at`; never send before. `looks` how many settled look-ups in a row have found nothing."""

    due_at: datetime
    message: str
    looks: int = 0


@dataclass(frozen=True)
class NotThere:
    """A probe after the settling time found nothing, or something half made that the same call carries on: it may be sent again."""


@dataclass(frozen=True)
class Again:
    """It did not happen; try at `due_at`, `why` then. `outage`: the system as a whole is not there; `ours`: it was not even called, for reasons of ours."""

    due_at: datetime
    message: str
    code: str
    outage: bool = False
    ours: bool = False
    why: str = ""


@dataclass(frozen=True)
class GiveUp:
    """It did not happen and will not by itself."""

    exception_class: ExceptionClass
    reason: str
    message: str
    remedy: str
    severity: Severity = Severity.SOFT
    context: dict[str, Any] = field(default_factory=dict)


Outcome = Done | Unknown | NotThere | Again | GiveUp


def of_error(error: MeshlineError, *, budget: Budget, now: datetime, part_done: bool, system: str) -> Outcome:
    """What a connector's error means for the step. `part_done`: earlier steps of the run are written."""
    match error:
        case far.OutcomeUnknown():
            return Unknown(now + timedelta(seconds=PROBE_SOON_S), error.message)
        case far.Duplicate() if not retry.exhausted(budget.policy, attempt=budget.tries):
            return Unknown(now, error.message)
        case far.Duplicate():
            remedy = f"{system} says it holds this document, but a look-up by our reference does not find it. Look there, then replay or close this."
            return GiveUp(ExceptionClass.DUPLICATE, error.code, error.message, remedy)
        case far.Outage():
            due_at = retry.next_at(budget.policy, attempt=budget.tries, now=now, retry_after_s=error.retry_after_s)
            return Again(due_at, error.message, error.code, outage=True)
        case far.Transient():
            return _transient(error, budget=budget, now=now, part_done=part_done, system=system)
        case far.Misconfigured():
            remedy = f"The definition of system {system} cannot work as it is. Mend it, apply it, and replay."
            return GiveUp(ExceptionClass.INTERNAL, error.code, error.message, remedy)
    return _refused(error, part_done=part_done, system=system)


def of_probe(
    answers: list[Answer],
    *,
    sent_at: datetime,
    settle_s: float,
    now: datetime,
    reference: str,
    system: str,
    update: bool = False,
) -> Outcome:
    """What a look-up by our reference means for a write whose outcome is unknown. An `update` finds its document whether or not it arrived."""
    if len(answers) == 1 and answers[0].complete and not update:
        return Done(answers[0], found=True)
    if len(answers) > 1:
        ids = ", ".join(answer.external_id for answer in answers[:10])
        remedy = (
            "Decide which one stands, cancel the others in the target, then replay: the one that is left is adopted."
        )
        message = f"{system} holds {reference} {len(answers)} times: {ids}"
        both = [{"external_id": answer.external_id, "document": answer.document} for answer in answers[:RECORDS_SHOWN]]
        return GiveUp(
            ExceptionClass.DUPLICATE, "reference_found_twice", message, remedy, Severity.HARD, {"records": both}
        )
    settled_at = sent_at + timedelta(seconds=settle_s)
    if now < settled_at:
        return Unknown(
            settled_at,
            f"{reference} is not in {system} yet, or not wholly; it counts as not written only after {settle_s:g} s",
        )
    return NotThere()


def of_undo_probe(
    answers: list[Answer], *, removes: bool, on_document: bool, external_id: str, sent_at: datetime, settle_s: float, now: datetime, reference: str, system: str
) -> Outcome:  # fmt: skip
    """What a look-up means for an undo whose outcome is unknown. It gives what is taken back; or, where the undo `removes`, what is still there."""
    settled_at = sent_at + timedelta(seconds=settle_s)
    this = next((answer for answer in answers if answer.external_id == external_id), None)
    if removes and this is None and now >= settled_at:
        return Done(Answer(external_id, {}, created=False), found=True)
    if not removes and (this is not None or (answers and not on_document)):
        return Done(this or answers[0], found=True)
    if now < settled_at:
        return Unknown(
            settled_at,
            f"{reference} is not taken back in {system} as far as can be seen; that counts only after {settle_s:g} s",
        )
    return NotThere()


def looked(
    found: NotThere, *, before: int, wanted: int, now: datetime, settle_s: float, reference: str, system: str
) -> Outcome:
    """Nothing was found; that is believed after as many look-ups in a row as the definition wants. `before`: how many found nothing until now."""
    looks = before + 1
    if looks >= wanted:
        return found
    due_at = now + timedelta(seconds=max(settle_s, LOOK_AGAIN_S) / wanted)
    return Unknown(
        due_at, f"{reference} is not in {system} in look-up {looks} of {wanted}; nothing is sent before the last", looks
    )


def look_up_refused(error: MeshlineError, *, reference: str, system: str) -> GiveUp:
    """The far side refuses to be asked: that says nothing of the write."""
    message = f"{system} refuses the look-up of {reference}, so whether it was written is not known: {error.message}"
    remedy = f"Nothing was sent again. Mend how {system} is looked up (the operation's `find`, our credential there), then replay: it is looked up first."
    return GiveUp(ExceptionClass.INTERNAL, "look_up_refused", message, remedy)


def vanished(reference: str, *, system: str, tries: int) -> GiveUp:
    """Sent again and again, never there."""
    message = f"Gave up after {tries} tries: {system} never answered, and {reference} is not there"
    remedy = f"Ask the owner of {system} what it makes of this document, mend the cause, and replay; it is looked up before it is sent again."
    return GiveUp(ExceptionClass.TRANSIENT, "retries_exhausted", message, remedy)


def of_document(error: MeshlineError, *, part_done: bool) -> GiveUp:
    """A later step's document cannot be worked out from what earlier steps answered."""
    remedy = "Compare the step's document with what the earlier step answered. Mend the flow or the payload and replay; steps that are done stay done."
    kind = ExceptionClass.PARTIAL if part_done else ExceptionClass.DATA_QUALITY
    return GiveUp(kind, error.code, error.message, remedy)


def _transient(error: far.Transient, *, budget: Budget, now: datetime, part_done: bool, system: str) -> Outcome:
    if error.code in far.OURS:
        due_at = retry.next_at(budget.policy, attempt=1, now=now, retry_after_s=error.retry_after_s)
        return Again(due_at, error.message, error.code, ours=True)
    found = retry.decide(budget, now=now, retry_after_s=error.retry_after_s)
    if isinstance(found, retry.Next):
        why = f"try {budget.tries + 1} of {budget.policy.max_attempts}, {found.why}"
        return Again(found.due_at, error.message, error.code, why=why)
    kind = ExceptionClass.PARTIAL if part_done else ExceptionClass.TRANSIENT
    remedy = f"{system} refused {budget.tries} tries for passing reasons. When it is well again, replay; the write is recognised if it happened."
    return GiveUp(kind, found.code, f"{found.why}: {error.message}", remedy)


def _refused(error: MeshlineError, *, part_done: bool, system: str) -> GiveUp:
    if isinstance(error, far.Accounting):
        remedy = "Finance decides: reopen the period or move the document's date, then replay; steps that are done stay done."
        return GiveUp(ExceptionClass.ACCOUNTING, error.code, error.message, remedy)
    if part_done:
        remedy = "Earlier steps of this run are written. Mend the cause and replay from the failed step, or undo them in the target and close this."
        return GiveUp(ExceptionClass.PARTIAL, "later_step_refused", error.message, remedy)
    remedy = f"{system} refuses this document. Correct the payload and replay, or correct the master data there and replay unchanged."
    return GiveUp(ExceptionClass.DATA_QUALITY, error.code, error.message, remedy)
