"""The circuit of each system in its row: read at the beginning of a batch, changed here only, with its history and the hooks of upper apps.

No network here. Times are the database's own, so that clocks of workers need not agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, Func, Q
from django.db.models.functions import Now

from meshline.kernel import clock
from meshline.kernel.actors import Actor
from ownership.enums import Circuit, SystemState
from ownership.models import System
from syncflows import hooks
from syncflows.engine.enums import CircuitEvent
from syncflows.engine.limits import decisions, waking
from syncflows.engine.limits.decisions import Decision, Standing
from syncflows.engine.limits.policy import Policy
from syncflows.engine.limits.verdicts import Tally
from syncflows.engine.limits.windows import Window
from syncflows.engine.models import CircuitChange


class ClockTimestamp(Func):
    """The database's clock at this moment, not at the transaction's beginning."""

    template = "clock_timestamp()"
    output_field = DateTimeField()


@dataclass(frozen=True)
class Rows:
    """All systems as they stood."""

    by_name: dict[str, System]

    def now(self) -> datetime:
        """By the database's clock, as due runs are."""
        return clock.now()


def rows() -> Rows:
    """One query."""
    found = list(System.objects.annotate(read_at=ClockTimestamp()))
    if found:
        clock.set_by(found[0].read_at)
    return Rows({row.name: row for row in found})


def try_it(system: str, *, lasts_s: float) -> bool:
    """Take the one try of a circuit whose time has come. True for exactly one of all workers; the next may, once `lasts_s` have passed without a word."""
    until = Now() + timedelta(seconds=lasts_s)
    due = Q(retry_at__lte=Now()) | Q(retry_at=None)
    ours = System.objects.filter(due, name=system, circuit__in=[Circuit.OPEN, Circuit.HALF_OPEN]).exclude(
        state=SystemState.PAUSED
    )
    with transaction.atomic():
        if not ours.update(circuit=Circuit.HALF_OPEN, retry_at=until):
            return False
        tell(system, CircuitEvent.TRIED, "Its time has come: one item tries.")
    return True


def settle(policy: Policy, tally: Tally, window: Window, *, trying: bool) -> bool:
    """Decide on what a wave saw and write it down; whether the circuit closed. Locks: the system's row."""
    with transaction.atomic():
        row = System.objects.select_for_update().annotate(read_at=Now()).filter(name=policy.system).first()
        if row is None or row.state == SystemState.PAUSED:
            return False
        found = Standing(Circuit(row.circuit), row.consecutive_failures, row.reopenings)
        decision = decisions.decide(found, tally, window, policy.breaker, trying=trying)
        _quieten(row, tally, decision)
        _write(row, decision, well=bool(tally.well), every_s=policy.every_s)
        return decision.event == CircuitEvent.CLOSED


def set_by_person(
    name: str, decision: Decision, *, event: CircuitEvent, by: Actor | str, state: SystemState | None = None
) -> None:
    """A person's word: `state` PAUSED where it is not the circuit's own. Locks: the system's row."""
    with transaction.atomic():
        row = System.objects.select_for_update().annotate(read_at=Now()).get(name=name)
        row.quiet_until = None
        _set(row, decision, state=state or decision.standing.state)
        tell(name, event, decision.reason, until=row.retry_at, numbers=decision.numbers, actor=str(by))
        if row.state == SystemState.UP:
            waking.ramp(name)


def tell(
    system: str, event: CircuitEvent, reason: str, *, until: datetime | None = None, numbers: dict[str, Any] | None = None, actor: str = ""
) -> None:  # fmt: skip
    CircuitChange.objects.create(
        system=system,
        at=clock.now(),
        event=event,
        reason=reason[:2000],
        until=until,
        numbers=numbers or {},
        actor=actor[:200],
    )


def sweep() -> int:
    """Wake what was missed: waiting runs of systems that take calls, and one for each circuit whose time has come; the count. One query when idle. Idempotent."""
    waiting = waking.missed()
    if not waiting:
        return 0
    found = rows()
    return sum(_sweep(found, found.by_name[name]) for name in waiting if name in found.by_name)


def changes(system: str, *, limit: int) -> Sequence[CircuitChange]:
    return list(CircuitChange.objects.filter(system=system).order_by("-id")[:limit])


def _sweep(found: Rows, row: System) -> int:
    if row.state == SystemState.PAUSED or (row.quiet_until and row.quiet_until > found.now()):
        return 0
    if row.circuit == Circuit.CLOSED:
        return waking.ramp(row.name, beyond_s=waking.GONE_S)
    due = row.retry_at is None or row.retry_at <= found.now()
    return waking.one(row.name, at=clock.now()) if due else 0


def _quieten(row: Any, tally: Tally, decision: Decision) -> None:
    """Retry-After holds for all of us, not only for the one that was told."""
    until = row.read_at + timedelta(seconds=tally.quiet_s)
    if not tally.quiet_s or (row.quiet_until and row.quiet_until >= until - timedelta(seconds=1)):
        return
    row.quiet_until = until
    if decision.standing.circuit == Circuit.CLOSED:
        tell(row.name, CircuitEvent.ASKED_TO_WAIT, tally.message, until=until, numbers={"wait_s": round(tally.quiet_s, 1)})  # fmt: skip


def _write(row: Any, decision: Decision, *, well: bool, every_s: float) -> None:
    row.last_ok_at = row.read_at if well else row.last_ok_at
    if decision.event is None and decision.wait_s is None and decision.standing.circuit != Circuit.CLOSED:
        row.save_without_historical_record()  # another worker holds its try; only what we were told counts
        return
    _set(row, decision, state=decision.standing.state)
    if decision.event:
        tell(row.name, decision.event, decision.reason, until=row.retry_at, numbers=decision.numbers)
    if decision.event in (CircuitEvent.OPENED, CircuitEvent.REOPENED):
        waking.one(row.name, at=row.retry_at)
    if decision.event == CircuitEvent.CLOSED:
        waking.ramp(row.name, every_s=every_s)


def _set(row: Any, decision: Decision, *, state: SystemState) -> None:
    standing, changed = decision.standing, row.state != state
    row.circuit, row.consecutive_failures, row.reopenings = standing.circuit, standing.consecutive, standing.reopenings
    row.state, row.state_reason = state, decision.reason[:2000] if state != SystemState.UP else ""
    row.retry_at = None if decision.wait_s is None else row.read_at + timedelta(seconds=decision.wait_s)
    if changed:
        row.state_since = row.read_at
        row.save()
        hooks.system_state_changed(system=row.name, state=state, reason=row.state_reason)
    else:
        row.save_without_historical_record()


def touch(names: Sequence[str]) -> None:
    """These answered."""
    System.objects.filter(name__in=names).update(last_ok_at=Now())
