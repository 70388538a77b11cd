"""May this person do that to this run, as it stands? Raises a sentence, which is also the disabled button's tooltip and the API's error. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from meshline.kernel import clock
from meshline.kernel.errors import Conflict
from ownership.enums import SystemState
from ownership.models import System, User
from ownership.permissions import Ability, check_user_can
from syncflows.engine import budgets
from syncflows.engine.control.enums import RunAct
from syncflows.engine.enums import DUE, IN_FLIGHT, PARKED, TERMINAL, RunStatus
from syncflows.engine.limits.waking import system_of
from syncflows.engine.models import Run, Step
from syncflows.enums import HoldReason
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

CLOSED = (SystemState.PAUSED, SystemState.DOWN)


@dataclass(frozen=True)
class Known:
    """What must be known besides the runs: their steps by run, the systems that take no calls, the definitions."""

    steps: dict[int, list[Step]]
    closed: dict[str, str]
    definitions: Catalog
    now: datetime

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Known:
        """Three queries, whatever the number of runs."""
        steps: dict[int, list[Step]] = {}
        for step in Step.objects.filter(run__in=[run.pk for run in runs]).order_by("run_id", "index"):
            steps.setdefault(step.run_id, []).append(step)
        now = clock.now()
        rows = System.objects.filter(Q(state__in=CLOSED) | Q(quiet_until__gt=now))
        closed = {row.name: row.state_reason or _asked_to_wait(row) for row in rows}
        return cls(steps, closed, catalog.current(), now)

    def next_step(self, run: Run) -> Step | None:
        return budgets.next_of(self.steps.get(run.pk, []))


def check_user_can_act(user: User | AnonymousUser, run: Run, act: RunAct, known: Known) -> None:
    """Raises NotAllowed, Conflict."""
    check_user_can(user, Ability.CONTROL_RUNS)
    check_run_can(run, act, known)


def check_run_can(run: Run, act: RunAct, known: Known) -> None:
    """Raises Conflict with what stands against it and what to do instead."""
    if run.status == RunStatus.RUNNING:
        raise Conflict(
            f"{run.public_id} is running just now. Wait until it rests, then try again.", code="run_is_running"
        )
    if run.status in TERMINAL:
        ended = f"{run.public_id} has ended: {run.get_status_display().lower()}."
        raise Conflict(f"{ended} Replay it if it must run again.", code="run_has_ended")
    CHECKS[act](run, known)


def skippable_step(run: Run, known: Known) -> Step:
    """The step that stands in the way. Raises Conflict where there is none, its outcome is unknown, or the flow does not allow it."""
    step = known.next_step(run)
    if step is None or run.status not in (*PARKED, RunStatus.RETRYING):
        raise Conflict(
            f"{run.public_id} has no failed step: it stopped before anything was to be written. Correct and replay it, or give it up.",
            code="no_failed_step",
        )
    if step.status in IN_FLIGHT:
        raise Conflict(
            f"Whether {step.name} was written to {step.system} is not known yet, so it cannot be skipped. Retry now: it is looked up first.",
            code="outcome_unknown",
        )
    flow = known.definitions.by_kind.get(Kind.FLOW, {}).get(run.flow)
    spec = next((item for item in flow.spec.steps if item.name == step.name), None) if flow else None
    if spec is None or not spec.skippable:
        raise Conflict(
            f"The flow {run.flow} does not let anybody go on without {step.name}. Its owner can allow it: `skippable: true` on that step.",
            code="not_skippable",
        )
    return step


def _retry_now(run: Run, known: Known) -> None:
    _not_waiting_for_a_person(run)
    step = known.next_step(run)
    system = step.system if step else system_of(run.waits_for)
    if run.status in DUE and system in known.closed:
        raise Conflict(
            f"{system} takes no calls ({known.closed[system] or 'no reason was given'}), and {run.public_id} goes on by itself once it does. "
            f"Resume or check {system} on its page.",
            code="system_closed",
        )
    if run.status in DUE and run.due_at <= known.now:
        raise Conflict(f"{run.public_id} is due already and waits only for its turn.", code="due_already")


def _pause(run: Run, known: Known) -> None:
    _not_stopped_already(run)
    if run.status == RunStatus.HELD and run.hold_reason != HoldReason.DEPENDENCY:
        why = run.get_hold_reason_display().lower()
        raise Conflict(
            f"{run.public_id} does not go on by itself: {why}. There is nothing to pause.", code="held_already"
        )
    if run.status in (RunStatus.FAILED, RunStatus.ERRORED):
        raise Conflict(
            f"{run.public_id} has stopped already, with a ticket. There is nothing to pause.", code="stopped_already"
        )


def _resume(run: Run, known: Known) -> None:
    if run.status != RunStatus.HELD or run.hold_reason != HoldReason.PAUSED:
        raise Conflict(f"{run.public_id} is not paused; it is {run.get_status_display().lower()}.", code="not_paused")
    _not_behind(run)


def _skip(run: Run, known: Known) -> None:
    if run.status == RunStatus.HELD and run.hold_reason != HoldReason.PAUSED:
        _not_waiting_for_a_person(run)
    skippable_step(run, known)


def _asked_to_wait(system: System) -> str:
    return f"it asked us to wait until {system.quiet_until:%H:%M:%S} UTC" if system.quiet_until else ""


def _give_up(run: Run, known: Known) -> None:
    """Whatever has not ended, and does not run, can be given up."""


def _not_stopped_already(run: Run) -> None:
    if run.hold_reason == HoldReason.PAUSED:
        _not_behind(run)
        raise Conflict(f"{run.public_id} is paused already. Resume it, or give it up.", code="paused_already")


def _not_behind(run: Run) -> None:
    if run.waits_for:
        other = run.waits_for.partition(":")[2]
        raise Conflict(
            f"{run.public_id} waits behind {other}, which is paused. Resume or give up that one.", code="waits_behind"
        )


def _not_waiting_for_a_person(run: Run) -> None:
    if run.hold_reason in (HoldReason.APPROVAL, HoldReason.ACCEPTANCE):
        what = (
            "Decide its approval"
            if run.hold_reason == HoldReason.APPROVAL
            else "Accept it, or correct it, on its ticket"
        )
        raise Conflict(f"{run.public_id} waits for a person's decision. {what} instead.", code="waits_for_decision")
    if run.hold_reason == HoldReason.STAGED:
        raise Conflict(
            f"{run.public_id} is staged in the soft ledger. Promote or revoke its document instead.", code="staged"
        )
    if run.hold_reason == HoldReason.FLOW_OFF:
        raise Conflict(f"{run.status_reason}.", code="flow_is_off")
    _not_stopped_already(run)


CHECKS: dict[RunAct, Callable[[Run, Known], None]] = {
    RunAct.RETRY_NOW: _retry_now,
    RunAct.PAUSE: _pause,
    RunAct.RESUME: _resume,
    RunAct.SKIP: _skip,
    RunAct.GIVE_UP: _give_up,
}
