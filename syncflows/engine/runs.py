"""What people and upper apps may do to a run: release, replay, cancel. Each locks the run, checks, writes lineage, and rings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from meshline.audit import ledger as audit
from meshline.kernel import clock, jobs, jsontext, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid, Missing
from syncflows import hooks
from syncflows.engine import lineage, ordering, taking_back, undos
from syncflows.engine.archives import months
from syncflows.engine.differences import payload_diff
from syncflows.engine.enums import IN_FLIGHT, PARKED, SETTLED, FactKind, RunStatus, StepStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run, Step
from syncflows.engine.soft import ledger

WORK = "engine.work"
RESTARTED = [
    "payload", "clearances", "replay", "compensation", "due_at", "tries", "first_failed_at", "budget_from", "hold_reason", "waits_for", "status_reason", "ended_at", "human_actions", "updated_at",
]  # fmt: skip
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


@dataclass(frozen=True)
class Again:
    """One run to replay, locked, with its event. `payload` a corrected one; `versions` as `replays.versions` gives them: the definitions to use instead
    of those in force; `correction` names what corrected the payload, so that trying again does not correct it twice."""

    run: Run
    payload: dict[str, Any] | None = None
    from_step: str = ""
    versions: dict[str, Any] | None = None
    correction: str = ""


def replay(
    run_id: int, *, by: Actor, reason: str, payload: dict[str, Any] | None = None, from_step: str | None = None
) -> Run:
    """Run again from the start, or from the step named; with a corrected payload where given. Steps that are done stay done: from a step, as they are.

    Ends the run's live tickets and voids what is asked about it.
    Raises Missing, Conflict (running, or a newer event was applied since: that would go back in time), Invalid (no reason, unknown step).
    Locks: the run, then what the upper apps hold about it.
    """
    if not reason.strip():
        raise Invalid("A replay needs a reason: it becomes part of the record's lineage.", code="reason_missing")
    with transaction.atomic():
        run = locked(run_id)
        months.refuse_away(run.pk, what=run.public_id)
        newer = ordering.newer_run(run)
        if newer is not None:
            raise going_back(run, newer)
        replay_locked([Again(run, payload, from_step or "")], by=by, reason=reason)
        audit.append(act="run.replayed", by=by, object_kind="run", object_id=run.public_id, reason=reason)
    return run


def replay_locked(batch: Sequence[Again], *, by: Actor, reason: str, job: str = "") -> None:
    """Every replay, of one or of many, comes through here. The caller holds the runs locked, has seen that no newer event has spoken, and writes the audit row.

    A few statements, whatever their number. Raises Conflict, Invalid: then nothing of the batch may be kept. `job` the replay this is part of.
    """
    for again in batch:
        check_replayable(again.run)
        for name, value in taking_back.start_over(again.run).items():
            setattr(again.run, name, value)
    steps: dict[int, list[Step]] = {again.run.pk: [] for again in batch}
    for step in Step.objects.filter(run__in=list(steps)).order_by("run", "index"):
        steps[step.run_id].append(step)
    places = {
        again.run.pk: check_step(again.run, again.from_step, undos.forward(steps[again.run.pk])) for again in batch
    }
    facts = [fact for again in batch for fact in _restart(again, places[again.run.pk], by=by, reason=reason, job=job)]
    left = [step.pk for pk, rows in steps.items() for step in rows if _is_planned_anew(step, places[pk])]
    Step.objects.filter(pk__in=left).update(status=StepStatus.PLANNED)
    transitions.move_each(
        [again.run for again in batch], machine=RUN, to=lambda run: RunStatus.PENDING, fields=RESTARTED
    )
    lineage.write(facts)
    hooks.runs_ended([again.run.pk for again in batch], why=REPLAYED, by=by)
    jobs.ring(WORK)


def _is_planned_anew(step: Step, start: int | None) -> bool:
    """Unfinished steps are, and skipped ones, but for those before the step to start from."""
    if step.status == StepStatus.SKIPPED:
        return start is None or step.index >= start
    return step.index < undos.FIRST_UNDO and step.status not in (StepStatus.DONE, StepStatus.COMPENSATED, *IN_FLIGHT)


def _restart(again: Again, place: int | None, *, by: Actor, reason: str, job: str) -> list[lineage.Fact]:
    """Set the run's fields, unsaved; the facts that tell it."""
    run, before, facts = again.run, again.run.current_payload, []
    if again.payload is not None and again.payload != before:
        facts.append(_corrected(run, before=before, after=again.payload, by=by, reason=reason))
        run.payload, run.clearances = jsontext.storable(again.payload), []
    corrected_by = again.correction or str((run.replay or {}).get("correction") or "")
    run.replay = {
        "job": job, "from_step": again.from_step, "from_index": place, "versions": again.versions, "correction": corrected_by,
    }  # fmt: skip
    for name, value in fresh_budget().items():
        setattr(run, name, value)
    run.updated_at = clock.now()
    run.hold_reason, run.waits_for, run.ended_at, run.status_reason = "", "", None, reason[:500]
    run.human_actions += by.kind != "system"
    facts.append(_replayed(again, by=by, reason=reason, job=job))
    return facts


def cancel(run_id: int, *, by: Actor, reason: str) -> Run:
    """Close a run without its outcome: refused, written off, handled elsewhere. Raises Missing, Conflict. Locks: the run."""
    with transaction.atomic():
        run = locked(run_id)
        ledger.revoke_of_run(run, by=by, reason=reason)
        run = transitions.move(
            Run, run.pk, machine=RUN, expected=(*PARKED, RunStatus.RETRYING, RunStatus.PENDING), to=RunStatus.CANCELLED, by=by, reason=reason,
            status_reason=reason, hold_reason="", waits_for="", ended_at=clock.now(), human_actions=run.human_actions + 1,
        )  # fmt: skip
        lineage.write([lineage.of_run(run, FactKind.CANCELLED, f"Closed by {by}: {reason}", by=by)])
    return run


def leave_out(step: Step) -> None:
    """A person's word that the run goes on without this step. The caller holds the run and has checked that nothing was sent."""
    Step.objects.filter(pk=step.pk).update(status=StepStatus.SKIPPED)


def fresh_budget() -> dict[str, Any]:
    """Column values of a run that is due now and may fail as often and as long as its policy allows, from now on."""
    now = clock.now()
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


def check_replayable(run: Run) -> None:
    """Raises Conflict where it is under way or due already, or a stub of what was archived."""
    if run.current_payload is None:
        months.refuse_away(run.pk, what=run.public_id)
    if run.status in REPLAYABLE:
        return
    running = run.status == RunStatus.RUNNING
    said = "is running just now" if running else "is due already, and will be carried next"
    raise Conflict(
        f"{run.public_id} {said}. Wait until it rests, then try again.",
        code="run_is_running" if running else "run_is_due",
    )


def going_back(run: Run, newer: Run) -> Conflict:
    """Why a run may not be replayed once a newer event of its record has spoken."""
    return Conflict(
        f"{run.public_id} speaks of {run.canonical_key} as of {run.sequence or run.created_at.isoformat()}; {newer.public_id} carried a newer event of it "
        f"and is {newer.get_status_display().lower()}. Replaying would overwrite newer data with older. Work on {newer.public_id} instead.",
        code="would_go_back_in_time",
        context={"newer_run": newer.public_id, "document": newer.canonical},
    )


def _replayed(again: Again, *, by: Actor, reason: str, job: str) -> lineage.Fact:
    told: dict[str, Any] = {"from_step": again.from_step or "start", "versions": "current"}
    told |= {"versions": again.versions["labels"]} if again.versions else {}
    told |= {"job": job} if job else {}
    return lineage.of_run(again.run, FactKind.REPLAYED, f"Replayed by {by}: {reason}", by=by, **told)


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


def _corrected(run: Run, *, before: Any, after: Any, by: Actor, reason: str) -> Any:
    changes = payload_diff(before, after)
    return lineage.of_run(
        run, FactKind.CORRECTED, f"{len(changes)} field(s) corrected by {by}: {reason}", by=by, changes=changes
    )
