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
from django.utils import timezone

from meshline.kernel import transitions
from syncflows.engine import lineage
from syncflows.engine.enums import DUE, AttemptStatus, FactKind, RunStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run, WriteAttempt

log = logging.getLogger(__name__)
AFTER_OUR_FAILURE_S = 5

# Up to a batch of due runs, the first of each lane, unless one of the lane is running: by priority, then by how long it has been due.
# Of these, the ones whose lane nobody else is claiming at this moment: the lanes stay locked until the transaction ends.
CLAIMABLE = """
WITH candidate AS MATERIALIZED (
SELECT r.id, r.priority, r.due_at, r.lane FROM engine_run r
WHERE r.status IN ('pending', 'retrying') AND r.due_at <= %s
  AND NOT EXISTS (
    SELECT 1 FROM engine_run o
    WHERE o.lane = r.lane AND o.id <> r.id AND o.status IN ('pending', 'retrying', 'running')
      AND (o.status = 'running' OR (o.sequence COLLATE "C", o.event_id, o.id) < (r.sequence COLLATE "C", r.event_id, r.id)))
ORDER BY r.priority, r.due_at, r.id
LIMIT %s
FOR UPDATE OF r SKIP LOCKED
)
SELECT id, priority FROM candidate WHERE pg_try_advisory_xact_lock(hashtextextended(lane, %s)) ORDER BY priority, due_at, id
"""
LANES = 0x6C616E65  # seed that keeps the lanes' advisory locks apart from others'


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
                tries=F("tries") + 1, updated_at=timezone.now(),
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
            due_at=timezone.now() + timedelta(seconds=AFTER_OUR_FAILURE_S),
        )  # fmt: skip


def _stop_listening(run_ids: list[int]) -> None:
    """Writes that are under way go unanswered from now on: the time they need to settle begins here."""
    WriteAttempt.objects.filter(step__run__in=run_ids, status=AttemptStatus.SENT).update(answered_at=timezone.now())


def give_back_expired() -> int:
    """Return runs whose worker is dead to the due ones; the count. Their sent writes are probed before anything is sent again."""
    with transaction.atomic():
        expired = list(
            Run.objects.select_for_update(skip_locked=True).filter(
                status=RunStatus.RUNNING, lease_until__lt=timezone.now()
            )[:500]
        )
        lineage.write(
            [
                lineage.of_run(
                    run,
                    FactKind.RETRY,
                    "The worker that carried it is gone; carried on by another",
                    lease=run.lease_owner,
                )
                for run in expired
            ]
        )
        _stop_listening([run.pk for run in expired])
        transitions.move_many(
            Run.objects.filter(pk__in=[run.pk for run in expired]), machine=RUN, expected=[RunStatus.RUNNING], to=RunStatus.PENDING, lease_owner="",
            lease_until=None, due_at=timezone.now(),
        )  # fmt: skip
    return len(expired)


def _claimable(limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(CLAIMABLE, [timezone.now(), limit, LANES])
        rows = cursor.fetchall()
    # One priority a batch: what comes first (master data) is done before what may build on it is even looked at.
    return [pk for pk, priority in rows if priority == rows[0][1]]


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
    with transaction.atomic():
        mine = Run.objects.select_for_update(of=("self",), skip_locked=True).filter(
            pk__in=lease.run_ids, lease_owner=lease.token, status=RunStatus.RUNNING
        )
        Run.objects.filter(pk__in=list(mine.order_by("pk").values_list("pk", flat=True))).update(lease_until=_end())
    lease.beats[:] = [began]


def _end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.MESHLINE_LEASE_S)
