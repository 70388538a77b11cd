"""Celery tasks: thin doorbells. Each calls one function; arguments are ids."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from meshline.kernel import jobs
from syncflows.engine import batch, partitions, sweeping
from syncflows.engine.archives import moving, policy
from syncflows.engine.control import bulk_jobs
from syncflows.engine.control.models import RunBulk
from syncflows.engine.models import StagedBulk
from syncflows.engine.replays import carrying
from syncflows.engine.soft import bulk, gating

log = logging.getLogger(__name__)
WORK_FOR_S = 20


@shared_task(name="engine.work")
def work() -> None:
    """Carry due runs until none is left, or for 20 seconds and then ring for another, so that no worker is held for long."""
    end = time.monotonic() + WORK_FOR_S
    while batch.work():
        jobs.ring("engine.work", at_most_every_s=1)  # another idle worker may help
        if time.monotonic() > end:
            jobs.enqueue("engine.work")
            return
    if next_at := sweeping.next_due():
        jobs.ring_at("engine.work", next_at)


@shared_task(name="engine.ask_gates")
def ask_gates() -> None:
    """Ask the gates of staged documents that are due, in batches."""
    end = time.monotonic() + WORK_FOR_S
    while gating.ask().judged and time.monotonic() < end:
        pass


@shared_task(name="engine.carry_staged_bulk")
def carry_staged_bulk(*, bulk_id: int) -> None:
    """Do what is left of a bulk act on staged documents."""
    found = StagedBulk.objects.select_related("by").filter(pk=bulk_id).first()
    if found is not None:
        bulk.carry(found)


@shared_task(name="engine.sweep")
def sweep() -> None:
    sweeping.sweep()
    bulk_jobs.nudge_all()


@shared_task(name="engine.keep_partitions")
def keep_partitions() -> None:
    partitions.keep()
    moving.recover(by=policy.BY)


@shared_task(name="engine.archive_months")
def archive_months() -> None:
    policy.carry_out()


@worker_ready.connect
def _on_ready(**_: Any) -> None:
    """A worker that starts into a new month need not wait for beat's next hour."""
    try:
        partitions.keep()
    except Exception as error:  # noqa: BLE001 - rows go on into the month before; beat's next hour tries again
        log.warning("this month's partitions could not be made at start: %s", error)


@shared_task(name="engine.carry_run_bulk")
def carry_run_bulk(*, job_id: int) -> None:
    """Do what is left of a bulk act on runs, for a turn."""
    found = RunBulk.objects.select_related("by").filter(pk=job_id).first()
    if found is not None:
        bulk_jobs.carry(found)


@shared_task(name="engine.replay")
def replay(*, job_id: int) -> None:
    """Carry a replay on: preview, start what its pace allows, note what ended; and ring again while something waits."""
    if carrying.carry(job_id):
        jobs.ring(carrying.TASK, at_most_every_s=carrying.EVERY_S, job_id=job_id)
