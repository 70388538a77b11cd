"""What happens below reaches above by these hooks: upper apps register at start, the engine calls in the same transaction.

Must not import any upper app.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from meshline.kernel.actors import Actor
from syncflows.enums import ExceptionClass, Severity


@dataclass(frozen=True)
class Failure:
    """Whatever did not end well, complete enough to be a ticket.

    `reason` a stable lower_snake code within the class; `message` one sentence; `remedy` what to do; `event_id`/`run_id` row numbers
    (either may be None, not both unless `system` is set); `amount` in `currency`, major units; `approval` set where a person's approval is asked.
    """

    exception_class: ExceptionClass
    reason: str
    message: str
    remedy: str
    event_id: int | None = None
    run_id: int | None = None
    flow: str = ""
    step: str = ""
    system: str = ""
    severity: Severity = Severity.SOFT
    amount: Decimal | None = None
    currency: str = ""
    customer: str = ""
    canonical_key: str = ""
    correlation_id: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    approval: ApprovalAsked | None = None


@dataclass(frozen=True)
class ApprovalAsked:
    """A decision asked of a person, bound to what they are shown.

    `bound` the fields decided on and `fingerprint` their hash with the policy version; `requester` who asked in the source system.
    """

    policy: str
    policy_version: int
    rule: str
    fingerprint: str
    bound: dict[str, Any]
    approver_team: str
    requester: str = ""
    due_at: datetime | None = None


FailureHook = Callable[[list[Failure]], None]
RunHook = Callable[[list[int], str, Actor], None]
SystemHook = Callable[[str, str, str], None]

_failures: list[FailureHook] = []
_run_ended: list[RunHook] = []
_system_state: list[SystemHook] = []


def on_failure(hook: FailureHook) -> None:
    """Register what turns failures into tickets. Called in the transaction that records the failure."""
    _failures.append(hook)


def on_run_ended(hook: RunHook) -> None:
    """Register what closes tickets and approvals of runs that went on or ended by themselves: (run row ids, why, by).

    `why`: completed, ignored, superseded (all ended), released (a record it waited for has arrived; it runs again), or replayed (by a person).
    """
    _run_ended.append(hook)


def on_system_state(hook: SystemHook) -> None:
    """Register what opens or ends the one ticket of a system that is down: (system name, new state, reason)."""
    _system_state.append(hook)


def failed(failures: list[Failure]) -> None:
    for hook in _failures if failures else ():
        hook(failures)


def runs_ended(run_ids: list[int], *, why: str, by: Actor) -> None:
    for hook in _run_ended if run_ids else ():
        hook(run_ids, why, by)


def system_state_changed(*, system: str, state: str, reason: str) -> None:
    for hook in _system_state:
        hook(system, state, reason)
