"""What a run's retry policy allows it still: the policy that is in force for its next call, what is used of it, and how that is told. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from syncflows.engine import retry
from syncflows.engine.enums import SETTLED, RunStatus
from syncflows.engine.models import Run, Step
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.base import minutes
from syncflows.governance.schemas.retries import Retry, RetryChange, narrowed

if TYPE_CHECKING:
    from syncflows.engine.execute import Job


@dataclass(frozen=True)
class Outlook:
    """What comes next for a run: `next_at` None where nothing is due by itself; `gives_up_at` and `late_at` None where there is no such limit."""

    tries: int
    tries_allowed: int
    next_at: datetime | None
    gives_up_at: datetime | None
    late_at: datetime | None
    policy: str
    why: str

    @property
    def tries_left(self) -> int:
        return max(0, self.tries_allowed - self.tries)


def of(job: Job) -> retry.Budget:
    """What the run of a call may still do."""
    run, spec = job.carry.run, job.system.spec
    return retry.Budget(
        policy_for(job.system, job.carry.flow, job.step),
        tries=run.tries,
        since=run.first_failed_at,
        late_at=None if job.carry.backward else late_at(run, job.carry.flow),
        call_s=spec.timeouts.connect_s + spec.timeouts.read_s,
    )


def policy_for(system: Versioned, flow: Versioned, step: Step) -> Retry:
    """The System's, as its operation and the flow's step narrow it."""
    steps = flow.spec.steps
    said: RetryChange | None = steps[step.index].retry if step.index < len(steps) else None
    operation = system.spec.operations.get(step.operation)
    return narrowed(system.spec.retry, operation.retry if operation else None, said)


def late_at(run: Run, flow: Versioned) -> datetime | None:
    """When the flow's target is missed: counted from the arrival, or from when a person started the run again."""
    if not flow.spec.deliver_within:
        return None
    return (run.budget_from or run.event.received_at) + timedelta(minutes=minutes(flow.spec.deliver_within))


def next_of(steps: Iterable[Step]) -> Step | None:
    """The first step that is still to do."""
    return next((step for step in steps if step.status not in SETTLED), None)


def outlook(run: Run, next_step: Step | None, catalog: Catalog) -> Outlook | None:
    """What a page and the API show of a run's tries; None where it has no call to make, or its definitions are gone."""
    flow: Any = catalog.by_kind.get(Kind.FLOW, {}).get(run.flow)
    system = catalog.by_kind.get(Kind.SYSTEM, {}).get(next_step.system) if next_step else None
    if flow is None or system is None or next_step is None:
        return None
    policy = policy_for(system, flow, next_step)
    ends = retry.gives_up_at(policy, since=run.first_failed_at) if run.first_failed_at else None
    why = run.status_reason if run.status == RunStatus.RETRYING else ""
    return Outlook(
        run.tries, policy.max_attempts, run.next_attempt_at, ends, late_at(run, flow), retry.words(policy), why
    )
