"""What beat asks of this app. Thin: each calls one function."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from exceptions import breaches, bulk_jobs
from exceptions.models import BulkJob


@shared_task(name="exceptions.watch_clocks")
def watch_clocks() -> None:
    """Escalate tickets whose clock ran out."""
    breaches.watch(timezone.now())


@shared_task(name="exceptions.carry_bulk_job")
def carry_bulk_job(*, job_id: int) -> None:
    """Do what is left of a bulk act."""
    found = BulkJob.objects.select_related("by").filter(pk=job_id).first()
    if found is not None:
        bulk_jobs.carry(found)
