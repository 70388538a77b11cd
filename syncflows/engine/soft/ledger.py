"""The soft ledger follows its runs: documents are staged, superseded, promoted or refused in the transaction that brings a run to rest.

Decides nothing about promotion; asks nothing of the database for runs that have no soft step. Locks: documents, after their runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence

from django.db.models import Q
from django.utils import timezone

from meshline.kernel import actors, jsontext, transitions
from meshline.kernel.actors import Actor
from syncflows.engine import failures, lineage
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import (
    IN_FLIGHT,
    LIVE_STAGED,
    FactKind,
    GateState,
    RunStatus,
    StagedStatus,
    StepStatus,
)
from syncflows.engine.machines import STAGED
from syncflows.engine.models import Run, Step
from syncflows.engine.soft import marks
from syncflows.engine.soft.models import StagedDocument
from syncflows.enums import ExceptionClass, HoldReason
from syncflows.governance.schemas.flows import Flow

ENGINE = actors.system("engine")
UNSETTLED = (*LIVE_STAGED, StagedStatus.REFUSED)
GATED = (GateState.WAITING, GateState.SHUT, GateState.OPEN)
MOVED = ["status_reason", "external_id"]
Moves = dict[int, tuple[StagedDocument, StagedStatus, str]]


def follow(carries: Sequence[Carry]) -> None:
    """Bring the documents of these carries to where their runs come to rest, and stage what is to be staged. The caller holds the runs' locks.

    May turn a rest into a duplicate, where another record's document for the same reference is staged already. Idempotent: on key and content.
    """
    soft = [carry for carry in carries if not carry.broken and marks.may_stage(carry.run, carry.flow.spec)]
    if not soft:
        return
    rows = _unsettled(soft)
    moves: Moves = {}
    fresh: list[StagedDocument] = []
    for carry in soft:
        _refuse_contested(carry, rows)
        own = [row for row in rows if row.run_id == carry.run.pk]
        kept = _settle(carry, own, moves)
        fresh += [_row(carry, step) for step in carry.staged if marks.content(step) not in kept]
        _give_way(carry, rows, moves)
    _move(moves, by=ENGINE)
    _keep(fresh, soft)


def supersede(runs: Collection[Run], *, reason: str) -> None:
    """A newer event speaks for these records: their staged documents are not promoted any more. The caller holds the runs."""
    if runs:
        rows = _locked(Q(run__in=[run.pk for run in runs], status__in=UNSETTLED))
        _move({row.pk: (row, StagedStatus.SUPERSEDED, reason) for row in rows}, by=ENGINE)


def revoke_of_run(run: Run, *, by: Actor, reason: str) -> None:
    """A run that is closed leaves nothing in the soft ledger. The caller holds the run."""
    if marks.holds_staged(run):
        rows = _locked(Q(run=run, status__in=UNSETTLED))
        _move({row.pk: (row, StagedStatus.REVOKED, reason) for row in rows}, by=by)
        lineage.write([_revoked(run, row, by, reason) for row in rows])


def _unsettled(carries: Sequence[Carry]) -> list[StagedDocument]:
    keys = [step.idempotency_key for carry in carries for step in carry.staged]
    mine = Q(run__in=[carry.run.pk for carry in carries], status__in=UNSETTLED)
    return _locked(mine | Q(idempotency_key__in=keys, status__in=LIVE_STAGED))


def _locked(wanted: Q) -> list[StagedDocument]:
    return list(StagedDocument.objects.select_for_update(of=("self",)).filter(wanted).order_by("pk"))


def _settle(carry: Carry, own: list[StagedDocument], moves: Moves) -> set[str]:
    """Where each document of the run goes now; the contents that stay staged."""
    wanted = {marks.content(step) for step in carry.staged}
    steps = {step.index: step for step in carry.steps}
    kept = set()
    for row in own:
        if row.fingerprint in wanted and row.status in LIVE_STAGED:
            kept.add(row.fingerprint)
            if (
                row.status == StagedStatus.PROMOTING
                and row.step_index == carry.staged[0].index
                and _was_told(carry, row)
            ):
                moves[row.pk] = (row, StagedStatus.STAGED, _reason(carry))
            continue
        found = _next(carry, row, steps.get(row.step_index))
        if found is not None:
            moves[row.pk] = (row, *found)
    return kept


def _next(carry: Carry, row: StagedDocument, step: Step | None) -> tuple[StagedStatus, str] | None:
    rest = carry.rest
    assert rest is not None
    if step is not None and step.status == StepStatus.DONE:
        if row.status == StagedStatus.STAGED:
            return StagedStatus.SUPERSEDED, f"{step.system} has it already as {step.external_id}"
        row.external_id = step.external_id
        return StagedStatus.PROMOTED, f"{step.system} has it as {step.external_id}"
    if rest.status == RunStatus.RETRYING or (step is not None and step.status in IN_FLIGHT):
        return None
    if rest.status == RunStatus.HELD and (rest.hold_reason != HoldReason.STAGED or row.status == StagedStatus.REFUSED):
        return None if row.status != StagedStatus.STAGED else (StagedStatus.SUPERSEDED, _anew(rest))
    if row.status == StagedStatus.PROMOTING and rest.status in (RunStatus.FAILED, RunStatus.ERRORED):
        return StagedStatus.REFUSED, rest.reason[:2000]
    if row.status == StagedStatus.REFUSED and rest.status in (RunStatus.FAILED, RunStatus.ERRORED):
        return None
    return StagedStatus.SUPERSEDED, _anew(rest)


def _anew(rest: Rest) -> str:
    return f"Its record was judged anew: {rest.reason}"[:2000]


def _reason(carry: Carry) -> str:
    return carry.rest.reason[:2000] if carry.rest else ""


def _was_told(carry: Carry, row: StagedDocument) -> bool:
    """Whether the run knew of the decision on this row when it was carried; one made meanwhile is taken up by the sweeper."""
    return any(found["via"] == row.public_id for found in marks.decisions(carry.run))


def _refuse_contested(carry: Carry, rows: Iterable[StagedDocument]) -> None:
    """Two records with one reference: the one that was staged first keeps it; the other is a duplicate, and somebody's."""
    keys, mine = {step.idempotency_key: step for step in carry.staged}, (carry.run.flow, carry.run.canonical_key)
    for row in rows:
        step = keys.get(row.idempotency_key)
        if step is None or row.run_id == carry.run.pk or (row.flow, row.canonical_key) == mine:
            continue
        message = f"{step.reference} is staged for {step.system} already, as {row.public_id} of {row.canonical_key}; a second document was not staged"
        failure = failures.of(
            carry, ExceptionClass.DUPLICATE, "reference_already_staged", message, step=step.name, system=step.system, staged=row.document, wanted=step.document,
            remedy="Compare both records. Revoke the staged document that is wrong, or correct the reference of this one, and replay.",
        )  # fmt: skip
        Step.objects.filter(pk=step.pk).update(owns_write=False)
        Step.objects.filter(run=row.run_id, index=row.step_index).update(owns_write=True)
        carry.staged, carry.rest = [], Rest(RunStatus.FAILED, message, failure=failure)
        return


def _give_way(carry: Carry, rows: Iterable[StagedDocument], moves: Moves) -> None:
    """An older document of the same record and reference makes room for this one."""
    keys = {step.idempotency_key for step in carry.staged}
    for row in rows:
        if row.idempotency_key in keys and row.run_id != carry.run.pk:
            moves[row.pk] = (row, StagedStatus.SUPERSEDED, f"{carry.run.public_id} staged a newer document")


def _row(carry: Carry, step: Step) -> StagedDocument:
    run, now = carry.run, timezone.now()
    gated = gated_by(carry.flow.spec, batch=run.batch)
    return StagedDocument(
        run=run, flow=run.flow, step_index=step.index, step=step.name, system=step.system, operation=step.operation, reference=step.reference,
        idempotency_key=step.idempotency_key, document=step.document, fingerprint=marks.content(step), canonical_key=run.canonical_key, customer=run.customer,
        amount=run.amount, currency=run.currency, business_date=_date(carry.business_date), requester=carry.requester, batch=run.batch, staged_at=now,
        gate_state=GateState.WAITING if gated else GateState.BY_HAND, gate_due_at=now if gated else None, external_id=step.external_id,
    )  # fmt: skip


def gated_by(flow: Flow, *, batch: str) -> bool:
    """Whether gates may promote by themselves. Imported history only where the flow says so."""
    return flow.promotion is not None and (not batch or flow.promotion.imports)


def _keep(fresh: list[StagedDocument], carries: Sequence[Carry]) -> None:
    if not fresh:
        return
    StagedDocument.objects.bulk_create(fresh)
    StagedDocument.history.bulk_history_create(fresh, default_change_reason="staged")
    told = {carry.run.pk: carry for carry in carries}
    for row in fresh:
        said = f"{row.step}: {row.operation} {row.reference} staged for {row.system} as {row.public_id}"
        detail = {"document": row.document, "fingerprint": row.fingerprint, "batch": row.batch}
        told[row.run_id].say(FactKind.STAGED, said, staged=row.public_id, reference=row.reference, **detail)


def _move(moves: Moves, *, by: Actor) -> None:
    """Each to its own status, with its history."""
    rows = [row for row, _, _ in moves.values()]
    for row, _, reason in moves.values():
        row.status_reason = jsontext.mended(reason)
        transitions.sign(row, by=by, reason=reason)
    transitions.move_each(rows, machine=STAGED, to=lambda row: moves[row.pk][1], fields=MOVED)
    if rows:
        StagedDocument.history.bulk_history_create(rows, update=True)


def _revoked(run: Run, row: StagedDocument, by: Actor, reason: str) -> lineage.Fact:
    return lineage.of_run(run, FactKind.REVOKED, f"{row.public_id} revoked by {by}: {reason}", by=by)


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
