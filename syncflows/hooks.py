"""What happens below reaches above by these hooks: upper apps register at start, the engine calls in the same transaction.

Must not import any upper app.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from meshline.kernel.actors import Actor
from syncflows.enums import ExceptionClass, Severity


@dataclass(frozen=True)
class Failure:
    """Whatever did not end well, complete enough to be a ticket.

    `reason` a stable lower_snake code within the class; `message` one sentence; `remedy` what to do; `event_id`/`run_id` row numbers
    (either may be None, not both unless `system` is set); `amount` in `currency`, major units; `approval` set where a person's approval is asked;
    `batch` the staged import it belongs to: its failures share one ticket.
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
    batch: str = ""


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


@dataclass(frozen=True)
class StagedRecord:
    """A staged document as a comparison reads it: `ident` its public id, `canonical` the business object it was made from."""

    ident: str
    reference: str
    system: str
    operation: str
    key: str
    canonical: dict[str, Any]
    amount: Decimal | None
    currency: str
    business_date: date | None


@dataclass(frozen=True)
class Seen:
    """What the target holds for a staged document: `verdict` matched, missing, differs or duplicate; `difference` name, ours, theirs of each field."""

    verdict: str
    difference: list[dict[str, Any]] = field(default_factory=list)
    external_id: str = ""


CompareHook = Callable[[str, list[StagedRecord]], dict[str, Seen]]
FailureHook = Callable[[list[Failure]], None]
RunHook = Callable[[list[int], str, Actor], None]
SystemHook = Callable[[str, str, str], None]
MonthHook = Callable[[int, int], list[str]]

_compare_staged: list[CompareHook] = []
_failures: list[FailureHook] = []
_run_ended: list[RunHook] = []
_system_state: list[SystemHook] = []
_months: list[MonthHook] = []


def on_failure(hook: FailureHook) -> None:
    """Register what turns failures into tickets. Called in the transaction that records the failure."""
    _failures.append(hook)


def on_run_ended(hook: RunHook) -> None:
    """Register what closes tickets and approvals of runs that went on or ended by themselves: (run row ids, why, by).

    `why`: completed, ignored, superseded (all ended), released (a record it waited for has arrived; it runs again), or replayed, skipped (a step), cancelled (by a person).
    """
    _run_ended.append(hook)


def on_system_state(hook: SystemHook) -> None:
    """Register what opens or ends the one ticket of a system that is down: (system name, new state, reason)."""
    _system_state.append(hook)


def on_compare_staged(hook: CompareHook) -> None:
    """Register what compares staged documents of a flow with its target: (flow, records) to what it saw, by ident; others are left out.

    Calls outside: never asked inside a transaction. Raises where the target cannot be read.
    """
    _compare_staged.append(hook)


def compare_staged(flow: str, records: list[StagedRecord]) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for hook in _compare_staged if records else ():
        found |= hook(flow, records)
    return found


def on_month_leaving(hook: MonthHook) -> None:
    """Register what still needs the events and runs of a month: (first row number, the one past the last) to sentences that say why it must stay."""
    _months.append(hook)


def failed(failures: list[Failure]) -> None:
    for hook in _failures if failures else ():
        hook(failures)


def runs_ended(run_ids: list[int], *, why: str, by: Actor) -> None:
    for hook in _run_ended if run_ids else ():
        hook(run_ids, why, by)


def system_state_changed(*, system: str, state: str, reason: str) -> None:
    for hook in _system_state:
        hook(system, state, reason)


def needed(*, first: int, past: int) -> list[str]:
    """Why events and runs of these row numbers must stay live; empty: nobody needs them."""
    return [reason for hook in _months for reason in hook(first, past)]
