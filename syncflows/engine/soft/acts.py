"""Promote, adopt, revoke and approve staged documents: one or many, each judged for itself, in one transaction for what is given.

A promotion lets the run go on with a clearance for exactly this document; the write itself is the engine's own protocol, never made here.
Locks: runs, then documents, in the order of their row numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from meshline.audit import ledger as audit
from meshline.kernel import actors, jobs, jsontext, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Invalid, MeshlineError, Missing
from ownership.models import User
from syncflows import hooks
from syncflows.engine import lineage
from syncflows.engine.enums import DUE, PARKED, FactKind, RunStatus, StagedAction, StagedStatus
from syncflows.engine.machines import RUN, STAGED
from syncflows.engine.models import Run
from syncflows.engine.runs import WORK
from syncflows.engine.soft import ledger, legal, marks, permissions
from syncflows.engine.soft.legal import Newer
from syncflows.engine.soft.models import StagedDocument
from syncflows.enums import HoldReason
from syncflows.governance import catalog

REASON_LENGTH = 2000
DECIDED = ["status_reason", "decision", "decided_by", "decided_at"]
RELEASED = ["hold_reason", "status_reason", "due_at", "tries", "clearances", "human_actions", "updated_at"]
WORDS = {StagedAction.PROMOTE: "promoted", StagedAction.ADOPT: "to be adopted", StagedAction.REVOKE: "revoked"}


@dataclass(frozen=True)
class Result:
    """What became of one document; `problem` and `code` say why it was left as it is (empty: done)."""

    row: StagedDocument
    problem: str = ""
    code: str = ""
    retryable: bool = False
    error: MeshlineError | None = None

    @property
    def done(self) -> bool:
        return not self.problem


@dataclass
class Act:
    """One act under way: rows locked, verdicts gathered, facts and audit rows to be written with them."""

    action: StagedAction
    by: Actor
    reason: str
    results: list[Result] = field(default_factory=list)
    facts: list[lineage.Fact] = field(default_factory=list)

    def refuse(self, row: StagedDocument, error: MeshlineError) -> None:
        self.results.append(Result(row, error.message, error.code, error.retryable, error))


def promote(
    ids: Collection[int], *, by: User | Actor, reason: str, mode: StagedAction = StagedAction.PROMOTE
) -> list[Result]:
    """Let these documents be written (`mode` adopt: only taken over where the target has them). By a person or, as an Actor, by a gate.

    What has a newer event is superseded instead. Raises NotAllowed, Invalid (no reason). Idempotent: on the document. Locks: see above.
    """
    act = _begin(mode, by, reason)
    with transaction.atomic():
        runs, rows = locked(ids)
        newer = legal.newer_of(runs.values())
        definitions = catalog.current()
        going: list[StagedDocument] = []
        for row in rows:
            run = runs[row.run_id]
            gates = permissions.promotion_of(definitions, row.flow)
            error = legal.refusal(
                row, run, action=mode, newer=newer.get(run.pk), gates=gates, earlier=earlier(row, rows)
            )
            if isinstance(error, Newer):
                _supersede(act, row, run, error)
            elif error:
                act.refuse(row, error)
            else:
                going.append(row)
        _promote(act, going, runs)
        _end(act, going)
        jobs.ring(WORK)
    return act.results


def revoke(ids: Collection[int], *, by: User | Actor, reason: str) -> list[Result]:
    """Take these documents out of the ledger, unwritten; their runs are closed, with what else of them is staged. Raises and locks as `promote`."""
    act = _begin(StagedAction.REVOKE, by, reason)
    with transaction.atomic():
        runs, rows = locked(ids)
        gone: list[StagedDocument] = []
        for row in rows:
            error = legal.refusal_to_revoke(row, runs[row.run_id])
            if error:
                act.refuse(row, error)
            else:
                gone.append(row)
        closed = {row.run_id: runs[row.run_id] for row in gone}
        chosen = {row.pk for row in gone}
        with_them = [row for row in _staged_of(closed) if row.pk not in chosen]
        for row in [*gone, *with_them]:
            row.decision = StagedAction.REVOKE
        _decide(act, [*gone, *with_them], StagedStatus.REVOKED)
        _close(act, list(closed.values()))
        act.facts += [_fact(act, row, closed[row.run_id], FactKind.REVOKED) for row in [*gone, *with_them]]
        _end(act, gone)
    return act.results


def approve(ids: Collection[int], *, by: User, reason: str) -> list[Result]:
    """Say that exactly these documents may be promoted: one of the two pairs of eyes. Bound to each document's fingerprint. Raises and locks as `promote`."""
    act = _begin(StagedAction.APPROVE, by, reason)
    with transaction.atomic():
        runs, rows = locked(ids)
        for row in rows:
            row.run = runs[row.run_id]
        who, definitions, now = permissions.Approver.of(by, rows), catalog.current(), timezone.now()
        good: list[StagedDocument] = []
        for row in rows:
            error = legal.refusal_to_approve(row) or permissions.refusal_to_approve(
                who, row, permissions.promotion_of(definitions, row.flow)
            )
            if error:
                act.refuse(row, error)
                continue
            row.approved_by, row.approved_at, row.approved_fingerprint = by, now, row.fingerprint
            row.approval_reason = act.reason
            row.gate_due_at = now if row.gate_state in ledger.GATED else None
            good.append(row)
        _save(act, good, ["approved_by", "approved_at", "approved_fingerprint", "approval_reason", "gate_due_at"])
        act.facts += [_fact(act, row, runs[row.run_id], FactKind.DECISION) for row in good]
        _end(act, good)
    return act.results


def perform(action: StagedAction, ids: Collection[int], *, by: User, reason: str) -> list[Result]:
    """What a page or the API asks for by its name. Raises and locks as that act."""
    if action == StagedAction.REVOKE:
        return revoke(ids, by=by, reason=reason)
    if action == StagedAction.APPROVE:
        return approve(ids, by=by, reason=reason)
    return promote(ids, by=by, reason=reason, mode=action)


def only(results: Sequence[Result]) -> StagedDocument:
    """The document of a single act. Raises what stood against it."""
    if not results:
        raise Missing("There is no such staged document.")
    [found] = results
    if found.error:
        raise found.error
    return found.row


def _begin(action: StagedAction, by: User | Actor, reason: str) -> Act:
    """Raises NotAllowed, Invalid."""
    if not isinstance(by, Actor):
        permissions.check_user_can_act(by, action)
    why = jsontext.mended(reason).replace("\0", "").strip()[:REASON_LENGTH]
    if not why:
        raise Invalid("The reason is missing. It is kept as evidence.", code="reason_missing")
    return Act(action, by if isinstance(by, Actor) else actors.of(by), why)


def locked(ids: Collection[int]) -> tuple[dict[int, Run], list[StagedDocument]]:
    """The runs, then the documents, in the order of their row numbers."""
    wanted = StagedDocument.objects.filter(pk__in=list(ids)).values("run_id")
    runs = {run.pk: run for run in Run.objects.select_for_update(of=("self",)).filter(pk__in=wanted).order_by("pk")}
    rows = StagedDocument.objects.select_for_update(of=("self",)).filter(pk__in=list(ids)).order_by("pk")
    return runs, list(rows)


def earlier(row: StagedDocument, rows: Iterable[StagedDocument]) -> frozenset[int]:
    """Earlier steps of the same run that are in this act, too."""
    return frozenset(
        other.step_index for other in rows if other.run_id == row.run_id and other.step_index < row.step_index
    )


def _promote(act: Act, rows: list[StagedDocument], runs: dict[int, Run]) -> None:
    for row in rows:
        row.decision = act.action
    _decide(act, rows, StagedStatus.PROMOTING)
    for row in rows:
        act.facts.append(_fact(act, row, runs[row.run_id], FactKind.PROMOTED))
    release(rows, runs, human=act.by.kind != "system")


def release(rows: Iterable[StagedDocument], runs: dict[int, Run], *, human: bool) -> None:
    """Give each run its clearances, and let those that rest in the soft ledger go on. The caller holds both.

    A run that is being carried gets them when it rests, from `taking_up`.
    """
    at, told = timezone.now(), dict[int, Run]()
    for row in rows:
        run = runs[row.run_id]
        if run.status != RunStatus.RUNNING:
            cleared = marks.clearance(
                step=row.step, content=row.fingerprint, mode=row.decision, via=row.public_id, by=row.decided_by, at=at
            )
            run.clearances, run.updated_at = [*run.clearances, cleared], at
            run.human_actions += human
            told[run.pk] = run
            if run.status == RunStatus.HELD:
                run.hold_reason, run.status_reason, run.due_at, run.tries = "", row.status_reason[:500], at, 0
    resting = [run for run in told.values() if run.status == RunStatus.HELD]
    due = [run for run in told.values() if run.status in DUE]
    transitions.move_each(resting, machine=RUN, to=lambda _: RunStatus.PENDING, fields=RELEASED)
    if due:
        Run.objects.bulk_update(due, ["clearances", "human_actions", "updated_at"])


def _supersede(act: Act, row: StagedDocument, run: Run, error: Newer) -> None:
    """A newer event has spoken for the record."""
    act.refuse(row, error)
    row.status_reason = error.message
    transitions.sign(row, by=act.by, reason=error.message)
    transitions.move_each([row], machine=STAGED, to=lambda _: StagedStatus.SUPERSEDED, fields=["status_reason"])
    StagedDocument.history.bulk_history_create([row], update=True)
    act.facts.append(lineage.of_run(run, FactKind.SUPERSEDED, error.message, staged=row.public_id))
    if run.status == RunStatus.HELD and run.hold_reason == HoldReason.STAGED:
        run.hold_reason, run.status_reason, run.ended_at = "", error.message[:500], timezone.now()
        transitions.move_each(
            [run], machine=RUN, to=lambda _: RunStatus.SUPERSEDED, fields=["hold_reason", "status_reason", "ended_at"]
        )


def _decide(act: Act, rows: Sequence[StagedDocument], to: StagedStatus) -> None:
    now = timezone.now()
    for row in rows:
        row.status_reason, row.decided_by, row.decided_at = act.reason, str(act.by)[:200], now
        transitions.sign(row, by=act.by, reason=act.reason)
    transitions.move_each(rows, machine=STAGED, to=lambda _: to, fields=DECIDED)
    if rows:
        StagedDocument.history.bulk_history_create(rows, update=True)


def _save(act: Act, rows: Sequence[StagedDocument], fields: Collection[str]) -> None:
    for row in rows:
        transitions.sign(row, by=act.by, reason=act.reason)
    if rows:
        StagedDocument.objects.bulk_update(rows, list(fields))
        StagedDocument.history.bulk_history_create(rows, update=True)


def _staged_of(runs: Collection[int]) -> list[StagedDocument]:
    rows = StagedDocument.objects.select_for_update(of=("self",)).filter(run__in=list(runs), status=StagedStatus.STAGED)
    return list(rows.order_by("pk"))


def _close(act: Act, found: Sequence[Run]) -> None:
    """Runs whose document was revoked have nothing left to do."""
    now = timezone.now()
    runs = [run for run in found if run.status in (*PARKED, *DUE)]
    for run in runs:
        run.hold_reason, run.waits_for, run.status_reason, run.ended_at = "", "", act.reason[:500], now
        run.human_actions += act.by.kind != "system"
        run.updated_at = now
    fields = ["hold_reason", "waits_for", "status_reason", "ended_at", "human_actions", "updated_at"]
    transitions.move_each(runs, machine=RUN, to=lambda _: RunStatus.CANCELLED, fields=fields)
    hooks.runs_ended([run.pk for run in runs], why=RunStatus.CANCELLED.value, by=act.by)


def _fact(act: Act, row: StagedDocument, run: Run, kind: FactKind) -> lineage.Fact:
    word = WORDS.get(act.action, "approved for promotion")
    said = f"{row.public_id} ({row.operation} {row.reference}) {word} by {act.by}: {act.reason}"
    return lineage.of_run(
        run, kind, said, by=act.by, staged=row.public_id, fingerprint=row.fingerprint, action=act.action.value
    )


def _end(act: Act, done: Sequence[StagedDocument]) -> None:
    """Lineage, audit, results."""
    lineage.write(act.facts)
    verb = {StagedAction.APPROVE: "approved", StagedAction.REVOKE: "revoked", StagedAction.ADOPT: "adopted"}
    audit.append_all(
        [
            audit.Act(
                f"staged_document.{verb.get(act.action, 'promoted')}", "staged_document", row.public_id, act.reason,
                {"reference": row.reference, "system": row.system, "fingerprint": row.fingerprint, "batch": row.batch},
            )
            for row in done
        ],
        by=act.by,
    )  # fmt: skip
    act.results += [Result(row) for row in done]
    act.results.sort(key=lambda found: found.row.pk)
