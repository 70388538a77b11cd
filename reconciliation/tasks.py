"""Celery tasks: thin doorbells."""

from __future__ import annotations

from celery import shared_task

from meshline.kernel import actors
from reconciliation import nights, runs

WORKER = actors.system("reconciliation")


@shared_task(name="reconciliation.nightly")
def nightly() -> None:
    """Compare every flow that has a rule."""
    nights.compare_all(by=WORKER)


@shared_task(name="reconciliation.carry")
def carry(*, run_id: int) -> None:
    """Make the comparison that a person asked for."""
    runs.carry(run_id=run_id, by=WORKER)
