"""What people and upper apps may do to a run: release, replay, cancel. Each locks the run, checks, writes lineage, and rings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from meshline.kernel import jobs, jsontext, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid, Missing
from syncflows import hooks
from syncflows.engine import lineage, ordering, taking_back, undos
from syncflows.engine.differences import payload_diff
from syncflows.engine.enums import IN_FLIGHT, PARKED, SETTLED, FactKind, RunStatus, StepStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run, Step
from syncflows.engine.soft import ledger

WORK = "engine.work"
REPLAYED = "replayed"  # what the hooks are told
REPLAYABLE = (
    *PARKED, RunStatus.RETRYING, RunStatus.IGNORED, RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.SUPERSEDED,
    RunStatus.COMPENSATED,
)  # fmt: skip


def release(run_id: int, *, by: Actor, reason: str, clearance: dict[str, Any] | None = None) -> Run:
    """Let a held or failed run go on, with what a person decided, if anything. Policies honour a clearance whose fingerprint still fits.

    Raises Missing, Conflict. Locks: the run.
    """
    with transaction.atomic():
        run = locked(run_id)
        cleared = [*run.clearances, jsontext.storable(clearance)] if clearance else run.clearances
        run = _move(run, expected=(*PARKED, RunStatus.RETRYING), by=by, reason=reason, clearances=cleared)
        kind = FactKind.DECISION if clearance else FactKind.RELEASED
        lineage.write([lineage.of_run(run, kind, f"Released by {by}: {reason}", by=by, clearance=clearance)])
        jobs.ring(WORK)
    return run


def replay(
    run_id: int,
    *,
    by: Actor,
    reason: str,
    payload: dict[str, Any] | None = None,
    from_step: str | None = None,
    versions: dict[str, Any] | None = None,
    job: str = "",
) -> Run:
    """Run again from the start, or from the step named; with a corrected payload where given. Steps that are done stay done: from a step, as they are.

    `versions` as `replays.versions` gives them: the definitions to use instead of those in force. `job` the replay this is part of.
    Ends the run's live tickets and voids what is asked about it. Every replay, of one or of many, comes through here.
    Raises Missing, Conflict (running, or a newer event was applied since: that would go back in time), Invalid (no reason, unknown step).
    Locks: the run, then what the upper apps hold about it.
    """
    if not reason.strip():
        raise Invalid("A replay needs a reason: it becomes part of the record's lineage.", code="reason_missing")
    with transaction.atomic():
        run = locked(run_id)
        _refuse_going_back(run)
        before = run.current_payload
        facts = []
        if payload is not None and payload != before:
            facts.append(_corrected(run, before=before, after=payload, by=by, reason=reason))
        changed: dict[str, Any] = {"payload": jsontext.storable(payload), "clearances": []} if facts else {}
        changed |= taking_back.start_over(run)
        index = _restart_from(run, from_step)
        changed["replay"] = {"job": job, "from_step": from_step or "", "from_index": index, "versions": versions}
        run = _move(run, expected=REPLAYABLE, by=by, reason=reason, ended_at=None, **changed)
        facts.append(_replayed(run, from_step, versions, by=by, reason=reason))
        lineage.write(facts)
        hooks.runs_ended([run.pk], why=REPLAYED, by=by)
        jobs.ring(WORK)
    return run


def cancel(run_id: int, *, by: Actor, reason: str) -> Run:
    """Close a run without its outcome: refused, written off, handled elsewhere. Raises Missing, Conflict. Locks: the run."""
    with transaction.atomic():
        run = locked(run_id)
        ledger.revoke_of_run(run, by=by, reason=reason)
        run = transitions.move(
            Run, run.pk, machine=RUN, expected=(*PARKED, RunStatus.RETRYING, RunStatus.PENDING), to=RunStatus.CANCELLED, by=by, reason=reason,
            status_reason=reason, hold_reason="", waits_for="", ended_at=timezone.now(), human_actions=run.human_actions + 1,
        )  # fmt: skip
        lineage.write([lineage.of_run(run, FactKind.CANCELLED, f"Closed by {by}: {reason}", by=by)])
    return run


def leave_out(step: Step) -> None:
    """A person's word that the run goes on without this step. The caller holds the run and has checked that nothing was sent."""
    Step.objects.filter(pk=step.pk).update(status=StepStatus.SKIPPED)


def fresh_budget() -> dict[str, Any]:
    """Column values of a run that is due now and may fail as often and as long as its policy allows, from now on."""
    now = timezone.now()
    return {"due_at": now, "tries": 0, "first_failed_at": None, "budget_from": now}


def locked(run_id: int) -> Run:
    """The run with its event, locked. Raises Missing."""
    run = Run.objects.select_for_update(of=("self",)).select_related("event").filter(pk=run_id).first()
    if run is None:
        raise Missing(f"There is no run {run_id}.")
    return run


def _move(run: Run, *, expected: tuple[str, ...], by: Actor, reason: str, **values: Any) -> Run:
    if run.status == RunStatus.RUNNING:
        raise Conflict(
            f"{run.public_id} is running just now. Wait until it rests, then try again.", code="run_is_running"
        )
    moved: Run = transitions.move(
        Run, run.pk, machine=RUN, expected=expected, to=RunStatus.PENDING, by=by, reason=reason, **fresh_budget(), hold_reason="",
        waits_for="", status_reason=reason[:500], human_actions=run.human_actions + (by.kind != "system"), **values,
    )  # fmt: skip
    return moved


def _refuse_going_back(run: Run) -> None:
    newer = ordering.newer_run(run)
    if newer is not None:
        raise going_back(run, newer)


def going_back(run: Run, newer: Run) -> Conflict:
    """Why a run may not be replayed once a newer event of its record has spoken."""
    return Conflict(
        f"{run.public_id} speaks of {run.canonical_key} as of {run.sequence or run.created_at.isoformat()}; {newer.public_id} carried a newer event of it "
        f"and is {newer.get_status_display().lower()}. Replaying would overwrite newer data with older. Work on {newer.public_id} instead.",
        code="would_go_back_in_time",
        context={"newer_run": newer.public_id, "document": newer.canonical},
    )


def _replayed(
    run: Run, from_step: str | None, versions: dict[str, Any] | None, *, by: Actor, reason: str
) -> lineage.Fact:
    told = {"from_step": from_step or "start", "versions": versions["labels"] if versions else "current"}
    part = {"job": run.replay["job"]} if run.replay and run.replay["job"] else {}
    return lineage.of_run(run, FactKind.REPLAYED, f"Replayed by {by}: {reason}", by=by, **told, **part)


def check_step(run: Run, from_step: str, steps: Sequence[Step]) -> int | None:
    """The place of the step to start from; None from the start. Raises Invalid where it does not exist or one before it is not done."""
    if from_step and from_step not in {step.name for step in steps}:
        raise Invalid(
            f"{run.public_id} has no step {from_step!r}. Its steps: {', '.join(step.name for step in steps) or 'none planned yet'}.",
            code="unknown_step",
        )
    for step in steps:
        if step.name == from_step:
            return step.index
        if from_step and step.status not in SETTLED:
            raise Invalid(
                f"Step {step.name} comes before {from_step} and is not done. Replay from {step.name} or from the start.",
                code="step_before_not_done",
            )
    return None


def _restart_from(run: Run, from_step: str | None) -> int | None:
    """Unfinished steps are planned anew, and so are skipped ones, but for those before the step to start from."""
    index = check_step(run, from_step or "", undos.forward(run.steps.all()))
    before = Q(status=StepStatus.SKIPPED, index__lt=index or 0)
    settled = (StepStatus.DONE, StepStatus.COMPENSATED, *IN_FLIGHT)
    left = Step.objects.filter(run=run, index__lt=undos.FIRST_UNDO).exclude(status__in=settled).exclude(before)
    left.update(status=StepStatus.PLANNED)
    return index


def _corrected(run: Run, *, before: Any, after: Any, by: Actor, reason: str) -> Any:
    changes = payload_diff(before, after)
    return lineage.of_run(
        run, FactKind.CORRECTED, f"{len(changes)} field(s) corrected by {by}: {reason}", by=by, changes=changes
    )
