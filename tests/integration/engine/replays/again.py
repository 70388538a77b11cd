"""What tests of replays share: people, a replay in one call, and driving it to its end at a pace of the test's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from ownership.models import User
from syncflows.engine import batch, sweeping
from syncflows.engine.models import ReplayItem, ReplayJob, Run
from syncflows.engine.replays import carrying, jobs
from syncflows.engine.replays.enums import OVER
from syncflows.engine.replays.jobs import How
from tests import polling

WRITTEN = (
    "engine_event", "engine_run", "engine_step", "engine_writeattempt", "engine_lineagefact", "engine_tracekey", "engine_canonicalrecord",
    "engine_crosswalkentry", "exceptions_ticket", "exceptions_ticketentry", "exceptions_approval",
)  # fmt: skip


def previewed(*found: Run, by: User, **how: Any) -> ReplayJob:
    """Asked for and previewed."""
    job = jobs.ask({"ids": [run.public_id for run in found]}, How(**how), by=by, reason="the ERP was mended")
    carrying.carry(job.pk)
    job.refresh_from_db()
    return job


def item(job: ReplayJob, run: Run) -> ReplayItem:
    return ReplayItem.objects.get(job=job, run_id=run.pk)


def started(job: ReplayJob, *, by: User) -> ReplayJob:
    return jobs.start(job, by=by)


def finished(job: ReplayJob, *, timeout_s: float = 20) -> ReplayJob:
    """Driven until it is over: each look is a second later for its pace."""
    clock = [timezone.now()]

    def over() -> bool:
        clock[0] += timedelta(seconds=1)
        carrying.carry(job.pk, now=clock[0])
        sweeping.sweep()
        batch.work()
        job.refresh_from_db()
        return job.status in OVER

    polling.until(over, timeout_s=timeout_s, what=lambda: f"{job.status}: {outcomes(job)}")
    return job


def outcomes(job: ReplayJob) -> list[str]:
    return list(ReplayItem.objects.filter(job=job).order_by("pk").values_list("outcome", flat=True))


def verdicts(job: ReplayJob) -> list[str]:
    return list(ReplayItem.objects.filter(job=job).order_by("pk").values_list("verdict", flat=True))


def contents() -> dict[str, str]:
    """A checksum of every row of every table that a run could change."""
    found = {}
    with connection.cursor() as cursor:
        for table in WRITTEN:
            cursor.execute(
                f"SELECT count(*) || ':' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t"
            )
            found[table] = cursor.fetchone()[0]
    return found
