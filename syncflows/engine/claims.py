"""Who carries which run: claims by `SKIP LOCKED`, leases with a heartbeat, and the return of what a dead worker held.

Two locks, two names. "Not at once": a lane has one running run: who claims holds the lane's advisory lock and looks, in a snapshot taken under it, that
none is running (a unique index of each month's partition is the net below). "Not twice": a write has one owner (idempotency key).
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from meshline.kernel import clock, transitions
from syncflows.engine import claimable, lineage, poison, precedence
from syncflows.engine.enums import DUE, AttemptStatus, FactKind, RunStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run, WriteAttempt
from syncflows.engine.shares import divide

log = logging.getLogger(__name__)
AFTER_OUR_FAILURE_S = 5


def _ticks() -> float:
    """Seconds that go on while the machine sleeps: a lease runs out then too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True)
class Lease:
    """What one worker holds: `token` fences every later write; `run_ids` row numbers; `beats` when it was extended last."""

    token: str
    run_ids: tuple[int, ...]
    beats: list[float] = field(default_factory=lambda: [_ticks()], compare=False)

    def holds(self) -> bool:
        """Whether it has been extended in time, as far as this process can tell without asking."""
        return _ticks() - self.beats[-1] < settings.MESHLINE_LEASE_S


def claim(*, limit: int) -> Lease:
    """Take up to `limit` due runs of distinct lanes. Raises nothing when another worker was faster: the lease is then smaller or empty."""
    token = f"{socket.gethostname()[:20]}:{os.getpid()}:{secrets.token_hex(6)}"
    try:
        with transaction.atomic():
            ids = _claimable(limit)
            won = transitions.move_many(
                _unless_lane_runs(ids), machine=RUN, expected=DUE, to=RunStatus.RUNNING, lease_owner=token, lease_until=_end(),
                tries=F("tries") + 1, updated_at=clock.now(),
            )  # fmt: skip
            if won < len(ids):
                ids = still_ours(Lease(token, ()), ids)
        return Lease(token, tuple(ids))
    except IntegrityError:
        log.info("another worker was faster on a lane; claiming again at the next ring")
        return Lease(token, ())


def still_ours(lease: Lease, run_ids: list[int]) -> list[int]:
    """Lock and return those of `run_ids` that this lease still holds. Call inside a transaction, before writing anything about them."""
    rows = Run.objects.select_for_update(of=("self",)).filter(
        pk__in=run_ids, lease_owner=lease.token, status=RunStatus.RUNNING
    )
    return list(rows.order_by("pk").values_list("pk", flat=True))


@contextlib.contextmanager
def kept_alive(lease: Lease) -> Iterator[None]:
    """Extend the lease every third of its time, in a thread of its own, while the body runs."""
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(lease, stop), name="lease-heartbeat", daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()


def give_back(lease: Lease) -> int:
    """Return what a lease still holds to the due ones, a little later, when its worker could not go on; the count."""
    with transaction.atomic():
        held = still_ours(lease, list(lease.run_ids))
        _stop_listening(held)
        return transitions.move_many(
            Run.objects.filter(pk__in=held), machine=RUN, expected=[RunStatus.RUNNING], to=RunStatus.PENDING, lease_owner="", lease_until=None,
            due_at=clock.now() + timedelta(seconds=AFTER_OUR_FAILURE_S),
        )  # fmt: skip


def _stop_listening(run_ids: list[int]) -> None:
    """Writes that are under way go unanswered from now on: the time they need to settle begins here."""
    WriteAttempt.objects.filter(step__run__in=run_ids, status=AttemptStatus.SENT).update(answered_at=clock.now())


def give_back_expired() -> int:
    """Return runs whose worker is dead to the due ones; the count. Their sent writes are probed before anything is sent again.

    One that several workers in a row have died with is parked instead, with a ticket.
    """
    clock.read()
    with transaction.atomic():
        rows = Run.objects.select_for_update(of=("self",), skip_locked=True).select_related("event")
        expired = list(rows.filter(status=RunStatus.RUNNING, lease_until__lt=clock.now())[:500])
        _stop_listening([run.pk for run in expired])
        poisoned = [run for run in expired if poison.is_poison(run)]
        others = [run for run in expired if not poison.is_poison(run)]
        lineage.write([_carried_on(run) for run in others])
        transitions.move_many(
            Run.objects.filter(pk__in=[run.pk for run in others]), machine=RUN, expected=[RunStatus.RUNNING], to=RunStatus.PENDING, lease_owner="",
            lease_until=None, due_at=clock.now(), deaths=F("deaths") + 1,
        )  # fmt: skip
        poison.park(poisoned)
    return len(expired)


def _carried_on(run: Run) -> lineage.Fact:
    said = "The worker that carried it is gone; carried on by another"
    return lineage.of_run(run, FactKind.RETRY, said, lease=run.lease_owner, workers_lost=run.deaths + 1)


def _claimable(limit: int) -> list[int]:
    """A fair share of each flow; where those that go first yield nothing, whatever else is due."""
    found, now = claimable.queues(limit=limit)
    if not found:
        return []
    shares = divide(found, limit=limit, masters=precedence.masters(), patience_s=settings.MESHLINE_PATIENCE_S)
    rows = claimable.lock(shares, now=now)
    if not rows and len(shares) < len(found):
        rows = claimable.lock(divide(found, limit=limit, masters={}, patience_s=0), now=now)
    return _suspects_alone(rows)


def _suspects_alone(rows: list[tuple[int, int]]) -> list[int]:
    """Runs that a worker died with are carried one at a time, and first: the others of their batch must not be blamed for what one of them did."""
    suspects = [pk for pk, deaths in rows if deaths]
    return suspects[:1] or [pk for pk, _ in rows]


def _unless_lane_runs(ids: list[int]) -> QuerySet[Run]:
    """A statement of its own: it sees what was committed until we had the lanes' locks, and nobody can claim in these lanes since."""
    running = Run.objects.filter(lane=OuterRef("lane"), status=RunStatus.RUNNING)
    return Run.objects.filter(~Exists(running), pk__in=ids)


def _beat(lease: Lease, stop: threading.Event) -> None:
    while not stop.wait(settings.MESHLINE_LEASE_S / 3):
        try:
            _extend(lease)
        except Exception as error:  # noqa: BLE001 - a heart must not stop at one failed beat; the lease ends by itself if it never succeeds
            log.warning("heartbeat failed: %s", error)
    connection.close()


def _extend(lease: Lease) -> None:
    """Rows that the batch itself is writing at this moment are left to the next beat: waiting for them could deadlock with it."""
    began = _ticks()
    clock.read()
    with transaction.atomic():
        mine = Run.objects.select_for_update(of=("self",), skip_locked=True).filter(
            pk__in=lease.run_ids, lease_owner=lease.token, status=RunStatus.RUNNING
        )
        Run.objects.filter(pk__in=list(mine.order_by("pk").values_list("pk", flat=True))).update(lease_until=_end())
    lease.beats[:] = [began]


def _end() -> datetime:
    return clock.now() + timedelta(seconds=settings.MESHLINE_LEASE_S)
