"""What people may do to a run that is half done: begin or go on with its compensation, and start over after one. Locks the run, checks, writes lineage, rings.

Who may is checked by the caller, with `check_user_can_take_back`; what may be done now is checked here, under the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from meshline.audit import ledger
from meshline.kernel import clock, jobs, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid, Missing
from ownership.permissions import Ability, check_user_can
from syncflows.engine import compensation, lineage, ordering, undos
from syncflows.engine.enums import DUE, IN_FLIGHT, PARKED, FactKind, RunStatus, StepStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run, Step

WORK = "engine.work"
WRITTEN = (StepStatus.DONE, *IN_FLIGHT)


def check_user_can_take_back(user: Any, run: Run) -> None:
    """Raises NotAllowed, or Conflict with why it cannot be done now. The sentence is also the disabled button's tooltip."""
    check_user_can(user, Ability.FIX_AND_REPLAY)
    check_can_be_taken_back(run)


def check_can_be_taken_back(run: Run) -> None:
    """Raises Conflict."""
    if run.compensation is not None and run.status in (*DUE, RunStatus.RUNNING):
        by = run.compensation.get("by") or "Meshline"
        raise Conflict(f"{run.public_id} is being taken back already, since {run.compensation['since']} by {by}. Wait until it has ended.", code="compensation_under_way")  # fmt: skip
    if run.status not in PARKED:
        raise Conflict(
            f"{run.public_id} is {run.get_status_display().lower()}; only a run that waits for a person can be taken back.",
            code="not_to_be_taken_back",
        )
    if not Step.objects.filter(run=run, index__lt=undos.FIRST_UNDO, status__in=WRITTEN, owns_write=True).exists():
        raise Conflict(f"{run.public_id} has written nothing, so there is nothing to take back. Close it instead.", code="nothing_written")  # fmt: skip


def ask(run_id: int, *, by: Actor, reason: str) -> Run:
    """Take back what a run wrote, last first; or go on where an undo was refused. It happens in a worker; newer events of the record wait for its end.

    Raises Missing, Conflict (not parked, under way already, nothing written, newer data was applied), Invalid (no reason). Locks: the run.
    """
    if not reason.strip():
        raise Invalid("Taking back needs a reason: it becomes part of the record's lineage.", code="reason_missing")
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).filter(pk=run_id).first()
        if run is None:
            raise Missing(f"There is no run {run_id}.")
        check_can_be_taken_back(run)
        _refuse_behind_newer(run)
        Step.objects.filter(run=run, undoes__isnull=False, status=StepStatus.REJECTED).update(status=StepStatus.PLANNED)
        told = compensation.begun(run, by=str(by), reason=reason[:500])
        run = transitions.move(
            Run, run.pk, machine=RUN, expected=PARKED, to=RunStatus.PENDING, by=by, reason=reason, due_at=clock.now(), tries=0, first_failed_at=None, hold_reason="",
            waits_for="", status_reason=f"Being taken back: {reason}"[:500], compensation=told, human_actions=run.human_actions + (by.kind != "system"),
        )  # fmt: skip
        lineage.write(
            [lineage.of_run(run, FactKind.COMPENSATING, f"{by} has what this run wrote taken back: {reason}", by=by)]
        )
        ledger.append(act="run.compensation_asked", by=by, object_kind="run", object_id=run.public_id, reason=reason)
        jobs.ring(WORK)
    return run


def start_over(run: Run) -> dict[str, Any]:
    """Put what was taken back, and its undos, behind the steps of the flow, so that a replay writes anew. The fields to save with the run.

    Call in the transaction of the replay, with the run locked. Raises Conflict while the outcome of an undo is not known.
    """
    if run.compensation is None:
        return {}
    steps = list(Step.objects.filter(run=run).order_by("index"))
    check_undos_are_known(steps)
    past = [step for step in steps if step.status == StepStatus.COMPENSATED and step.index < undos.FIRST_UNDO]
    place = max([undos.FIRST_KEPT - 1, *(step.index for step in steps)])
    for offset, step in enumerate([*past, *undos.current(steps)], start=1):
        step.index = place + offset
        step.save(update_fields=["index"])
    return {"compensation": None}


def check_undos_are_known(steps: Sequence[Step]) -> None:
    """Raises Conflict while the outcome of an undo is not known."""
    open_ = [step.name for step in undos.current(steps) if step.status in IN_FLIGHT]
    if open_:
        raise Conflict(
            f"Whether {', '.join(open_)} happened is not known yet, so nothing can be written anew. Compensate again first: it looks.",
            code="undo_unknown",
        )


def _refuse_behind_newer(run: Run) -> None:
    newer = ordering.newer_run(run)
    if newer is not None:
        raise Conflict(
            f"{newer.public_id} carried a newer event of {run.canonical_key} and builds on what {run.public_id} wrote. Work on {newer.public_id} instead.",
            code="would_go_back_in_time",
            context={"newer_run": newer.public_id},
        )
