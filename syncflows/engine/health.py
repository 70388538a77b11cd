"""What the engine knows of each system's health, from its own calls: down after repeated outages, up at the first answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from meshline.kernel import jobs
from ownership.enums import SystemState
from ownership.models import System
from syncflows import hooks
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run

DOWN_AFTER = 3
PROBE_EVERY_S = 5
AMONG_MANY_S = (
    20,
    40,
)  # the others of a system that is down look again much later than the one that probes; the first answer wakes them
PAUSE_CHECK_S = (120, 360)  # resuming wakes them


@dataclass
class Tally:
    """What one wave of calls saw of a system."""

    ok: int = 0
    outages: int = 0
    refused_credential: bool = False
    message: str = ""


@dataclass
class Board:
    """The systems' states as read at the beginning of a batch, and what the batch saw since."""

    rows: dict[str, System]
    seen: dict[str, Tally] = field(default_factory=dict)
    probing: set[str] = field(default_factory=set)
    looking: set[str] = field(default_factory=set)

    def closed_until(self, system: str) -> datetime | None:
        """When to come back, where no call may be made now; else None. Of a system that is down one run a wave may call, once its time has come."""
        row, now = self.rows.get(system), timezone.now()
        if row is None or row.state in (SystemState.UP, SystemState.DEGRADED):
            return None
        if row.state == SystemState.PAUSED:
            return _later(now, PAUSE_CHECK_S)
        if row.retry_at and row.retry_at > now:
            first = system not in self.looking
            self.looking.add(system)
            return row.retry_at if first else _later(now, AMONG_MANY_S)
        if system in self.probing:
            return _later(now, AMONG_MANY_S)
        self.probing.add(system)
        return None

    def note(self, system: str, *, outage: bool, refused: bool = False, message: str = "") -> None:
        tally = self.seen.setdefault(system, Tally())
        tally.outages += outage
        tally.ok += not outage
        tally.refused_credential |= refused
        tally.message = message or tally.message


def board() -> Board:
    return Board({row.name: row for row in System.objects.all()})


def save(found: Board) -> None:
    """Write down what changed, and tell the upper apps when a system goes down or comes back. One transaction per changed system."""
    for name, tally in found.seen.items():
        row = found.rows.get(name)
        if row is None or row.state == SystemState.PAUSED:
            continue
        if tally.ok and not (row.state == SystemState.UP and row.consecutive_failures == 0 and _fresh(row)):
            _up(row)
        elif tally.outages and not tally.ok:
            _worse(row, tally)
    found.seen.clear()
    found.probing.clear()


def pause(name: str, *, reason: str, actor: str) -> None:
    """A person stops writes to a system. Idempotent: on the system."""
    _set(name, SystemState.PAUSED, f"{reason} ({actor})", retry_at=None, by_person=True)


def resume(name: str) -> None:
    """A person lets writes go on; the first call shows whether the system is well. Idempotent: on the system."""
    _set(name, SystemState.UP, "", retry_at=None, by_person=True)


def _up(row: System) -> None:
    now = timezone.now()
    was = row.state
    row.state, row.state_reason, row.retry_at, row.consecutive_failures, row.last_ok_at = (
        SystemState.UP,
        "",
        None,
        0,
        now,
    )
    if was == SystemState.UP:
        System.objects.filter(pk=row.pk).exclude(state=SystemState.PAUSED).update(
            consecutive_failures=0, last_ok_at=now
        )
        return
    _set(row.name, SystemState.UP, "", retry_at=None, last_ok_at=now)


def _worse(row: System, tally: Tally) -> None:
    row.consecutive_failures += tally.outages
    down = tally.refused_credential or row.consecutive_failures >= DOWN_AFTER
    retry_at = timezone.now() + timedelta(seconds=PROBE_EVERY_S) if down else None
    state = SystemState.DOWN if down else SystemState.DEGRADED
    if row.state == state:
        row.retry_at = retry_at
        System.objects.filter(pk=row.pk).exclude(state=SystemState.PAUSED).update(
            consecutive_failures=row.consecutive_failures, retry_at=retry_at, state_reason=tally.message
        )
        return
    row.state, row.retry_at = state, retry_at
    _set(row.name, state, tally.message, retry_at=retry_at, failures=row.consecutive_failures)


def _set(
    name: str, state: SystemState, reason: str, *, retry_at: datetime | None, failures: int = 0, last_ok_at: datetime | None = None, by_person: bool = False
) -> None:  # fmt: skip
    """A pause is a person's word: only a person ends it, whatever a batch that began before it saw."""
    with transaction.atomic():
        row = System.objects.select_for_update().get(name=name)
        if row.state == SystemState.PAUSED and not by_person:
            return
        changed = row.state != state
        row.state, row.state_reason, row.retry_at, row.consecutive_failures = state, reason[:2000], retry_at, failures
        row.last_ok_at = last_ok_at or row.last_ok_at
        if changed:
            row.state_since = timezone.now()
        row.save()
        if changed:
            hooks.system_state_changed(system=name, state=state, reason=reason)
        if changed and state == SystemState.UP:
            _wake(name)


def waits_for(system: str) -> str:
    """What a run says that waits for a system."""
    return f"system:{system}"


def _wake(system: str) -> None:
    Run.objects.filter(status=RunStatus.RETRYING, waits_for=waits_for(system)).update(due_at=timezone.now())
    jobs.ring("engine.work")


def _later(now: datetime, between_s: tuple[int, int]) -> datetime:
    return now + timedelta(seconds=random.uniform(*between_s))  # noqa: S311 - spreads load, guards nothing


def _fresh(row: System) -> bool:
    return row.last_ok_at is not None and row.last_ok_at > timezone.now() - timedelta(seconds=30)
