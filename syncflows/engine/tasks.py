"""Celery tasks: thin doorbells. Each calls one function; arguments are ids."""

from __future__ import annotations

import time

from celery import shared_task

from meshline.kernel import jobs
from syncflows.engine import batch, sweeping

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


@shared_task(name="engine.sweep")
def sweep() -> None:
    sweeping.sweep()
