"""What stands against promoting, adopting, revoking or approving a staged document as it is now. Sentences for people; writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from meshline.kernel.errors import Conflict, Missing
from syncflows.engine.enums import (
    DUE,
    LIVE_STAGED,
    RunStatus,
    StagedAction,
    StagedStatus,
    StagedVerdict,
)
from syncflows.engine.models import Run
from syncflows.engine.ordering import SPOKEN, place
from syncflows.engine.soft.models import StagedDocument
from syncflows.enums import HoldReason
from syncflows.governance.schemas.flows import Promotion

ADOPTABLE = (StagedVerdict.MATCHED, StagedVerdict.FOUND, StagedVerdict.DIFFERS)
GOING_ON = (RunStatus.RUNNING, *DUE)


class Newer(Conflict):
    """A newer event of the record has spoken: the document is superseded."""

    default_code = "superseded"


def newer_of(runs: Iterable[Run]) -> dict[int, Run]:
    """For each run, the newest later run of its flow and lane that has spoken or is about to. One query."""
    known = list(runs)
    rows = Run.objects.filter(lane__in={run.lane for run in known}, status__in=[*SPOKEN, RunStatus.PENDING]).only(
        "flow", "lane", "sequence", "event_id", "public_id", "status"
    )
    found: dict[int, Run] = {}
    for row in sorted(rows, key=place):
        for run in known:
            if (row.flow, row.lane) == (run.flow, run.lane) and row.pk != run.pk and place(row) > place(run):
                found[run.pk] = row
    return found


def refusal(
    row: StagedDocument, run: Run, *, action: StagedAction, newer: Run | None, gates: Promotion | None, earlier: Collection[int] = ()
) -> Conflict | None:  # fmt: skip
    """Why it cannot be promoted or adopted now; None where it can. Newer where it must be superseded. `earlier`: steps promoted with it."""
    return (
        _not_staged(row)
        or _overtaken(row, newer)
        or _run_elsewhere(row, run)
        or _out_of_turn(row, run, earlier)
        or (_not_there(row) if action == StagedAction.ADOPT else _there_otherwise(row) or _not_approved(row, gates))
    )


def refusal_to_revoke(row: StagedDocument, run: Run) -> Conflict | None:
    if row.status == StagedStatus.PROMOTED:
        return Conflict(
            f"{row.public_id} is written: {row.system} has it as {row.external_id or row.reference}. Revoking would leave it there; taking it back is a "
            f"compensation. Take back {run.public_id} where it waits for a person and step {row.step} has an undo; else undo it in {row.system}.",
            code="no_undo",
        )
    return _not_staged(row) or _running(row, run)


def refusal_to_approve(row: StagedDocument) -> Conflict | None:
    found = _not_staged(row)
    if found is None and row.approved_fingerprint == row.fingerprint:
        return Conflict(f"{row.public_id} is approved already, by {row.approved_by}.", code="already_approved")
    return found


def _not_staged(row: StagedDocument) -> Conflict | None:
    if row.status == StagedStatus.STAGED:
        return None
    why = f" ({row.status_reason})" if row.status_reason else ""
    what = (
        "is being written just now"
        if row.status in LIVE_STAGED
        else f"is {row.get_status_display().lower()}{why} by now"
    )
    return Conflict(f"{row.public_id} {what}; only a staged document can be decided on.", code="not_staged")


def _overtaken(row: StagedDocument, newer: Run | None) -> Conflict | None:
    if newer is None:
        return None
    if newer.status == RunStatus.PENDING:
        return Conflict(
            f"A newer event of {row.canonical_key} has arrived ({newer.public_id}) and is about to be carried; {row.public_id} waits for what it says.",
            code="newer_event_due",
            retryable=True,
        )
    return Newer(
        f"{newer.public_id} carries a newer event of {row.canonical_key}; {row.public_id} is superseded, and was not promoted."
    )


def _running(row: StagedDocument, run: Run) -> Conflict | None:
    if run.status != RunStatus.RUNNING:
        return None
    return Conflict(
        f"{run.public_id} is running just now. Wait until it rests, then try again.",
        code="run_is_running",
        retryable=True,
    )


def _run_elsewhere(row: StagedDocument, run: Run) -> Conflict | None:
    """The run must rest in the soft ledger, or be on its way there or on with an earlier step."""
    if run.status in GOING_ON or (run.status == RunStatus.HELD and run.hold_reason == HoldReason.STAGED):
        return None
    return Conflict(
        f"{run.public_id} is {run.get_status_display().lower()}, not waiting in the soft ledger: {run.status_reason or 'see its trace'}. Settle that first.",
        code="run_not_staged",
    )


def _out_of_turn(row: StagedDocument, run: Run, earlier: Collection[int]) -> Conflict | None:
    """Steps are written in their order: what comes before must be promoted, before or with this one."""
    if row.step_index == 0:
        return None
    waiting = StagedDocument.objects.filter(run=run, step_index__lt=row.step_index, status=StagedStatus.STAGED).exclude(
        step_index__in=list(earlier)
    )
    first = waiting.order_by("step_index").first()
    if first is None:
        return None
    return Conflict(
        f"{row.public_id} comes after {first.step} ({first.public_id}), which is still staged. Promote that first, or both together.",
        code="earlier_step_staged",
    )


def _not_there(row: StagedDocument) -> Conflict | None:
    if row.verdict in ADOPTABLE:
        return None
    said = StagedVerdict(row.verdict).label.lower() if row.verdict else "not compared yet"
    return Conflict(
        f"{row.public_id} cannot be adopted: {row.reference} in {row.system} is {said}. Compare it, or promote it.",
        code="nothing_to_adopt",
    )


def _there_otherwise(row: StagedDocument) -> Conflict | None:
    if row.verdict == StagedVerdict.DUPLICATE:
        return Conflict(
            f"{row.system} holds {row.reference} more than once. Cancel all but one there, compare again, then adopt it.",
            code="there_twice",
        )
    if row.verdict == StagedVerdict.DIFFERS:
        return Conflict(
            f"{row.system} holds {row.reference} already, with different content. Correct one of the two and compare again, or adopt it as it is there.",
            code="there_different",
        )
    return None


def _not_approved(row: StagedDocument, gates: Promotion | None) -> Conflict | None:
    """By hand, too: an approval that the flow asks for is not gone around."""
    asked = gates.approved if gates else None
    if asked is None or (gates and gates.match == "any") or row.approved_fingerprint == row.fingerprint:
        return None
    return Conflict(f"{row.public_id} needs the approval of {asked.team} before it is promoted.", code="needs_approval")


def get(public_id: str) -> StagedDocument:
    """Raises Missing."""
    row = StagedDocument.objects.select_related("run__event", "approved_by").filter(public_id=public_id).first()
    if row is None:
        raise Missing(
            f"There is no staged document {public_id}. It may be mistyped; look in the list of staged documents."
        )
    return row
