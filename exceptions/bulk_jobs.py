"""A bulk act as a page carries it out: fixed records, a preview, then the act, in the request or by a worker, with progress and a retry of the rest.

Decides nothing: `bulk` does each record through the single services.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from exceptions import bulk, selectors, timeline
from exceptions.bulk import Options, Preview
from exceptions.enums import ON_APPROVALS, BulkAction, Resolution
from exceptions.models import BulkJob
from meshline.kernel import jobs
from meshline.kernel.errors import Conflict, Invalid, MeshlineError, Missing
from ownership.models import Team, User

TASK = "exceptions.carry_bulk_job"
AT_ONCE = 50
SLICE = 25
MOST = 10_000
SILENT = timedelta(seconds=60)
DRAFTS_KEPT = timedelta(days=1)
WITHOUT_REASON = (BulkAction.ASSIGN, BulkAction.ACKNOWLEDGE)


def make(action: BulkAction, idents: Sequence[str], *, by: User) -> BulkJob:
    """A draft for these records. Raises Invalid for none or too many. Drafts of this person that were never asked for are cleared after a day."""
    if not idents:
        raise Invalid("Nothing is selected. Select at least one row, then choose what to do.", code="nothing_selected")
    if len(idents) > MOST:
        raise Invalid(
            f"{len(idents):,} records are more than one act takes ({MOST:,}). Narrow the filter.",
            code="too_many_records",
        )
    BulkJob.objects.filter(by=by, asked_at=None, made_at__lt=timezone.now() - DRAFTS_KEPT).delete()
    return BulkJob.objects.create(action=action, by=by, idents=list(idents))


def get(public_id: str, *, by: User) -> BulkJob:
    """One's own. Raises Missing."""
    found = BulkJob.objects.select_related("by").filter(public_id=public_id, by=by).first()
    if found is None:
        raise Missing(
            f"There is no bulk act {public_id} of yours. Drafts are cleared after a day; select the records again."
        )
    return found


def records(job: BulkJob, idents: Sequence[str] | None = None) -> QuerySet[Any]:
    rows: QuerySet[Any] = selectors.approvals() if is_on_approvals(job) else selectors.tickets()
    return rows.filter(public_id__in=job.idents if idents is None else idents)


def is_on_approvals(job: BulkJob) -> bool:
    return job.action in ON_APPROVALS


def needs_reason(job: BulkJob) -> bool:
    return job.action not in WITHOUT_REASON


def options_of(values: dict[str, Any]) -> Options:
    """From `to` (user:<public id> or team:<name>) and `resolution`. Raises Invalid for somebody unknown."""
    return Options(
        to=assignee(str(values.get("to") or "")), resolution=str(values.get("resolution") or Resolution.WRITTEN_OFF)
    )


def assignee(value: str) -> User | Team | None:
    """Raises Invalid."""
    kind, _, name = value.partition(":")
    found = (
        User.objects.filter(public_id=name).first()
        if kind == "user"
        else Team.objects.filter(name=name).first()
        if kind == "team"
        else None
    )
    if value and found is None:
        raise Invalid(f"There is nobody called {name or value}. Choose from the list.", code="unknown_assignee")
    return found


def preview(job: BulkJob, options: Options) -> Preview:
    """What it would do now."""
    return bulk.preview(records(job), BulkAction(job.action), by=job.by, options=options)


def ask(job: BulkJob, *, reason: str, options: dict[str, str]) -> BulkJob:
    """Start it: at once for up to 50 records, else by a worker. Raises Conflict (asked already), Invalid (no reason). Idempotent: never done twice."""
    why = timeline.needed(reason, what="The reason") if needs_reason(job) else reason.strip()[: timeline.NOTE_LENGTH]
    options_of(options)
    asked = BulkJob.objects.filter(pk=job.pk, asked_at=None).update(
        asked_at=timezone.now(), reason=why, options=options
    )
    if not asked:
        raise Conflict(f"{job.public_id} was started already. Its results are below.", code="started_already")
    job.refresh_from_db()
    if len(job.idents) <= AT_ONCE:
        return carry(job)
    jobs.enqueue(TASK, job_id=job.pk)
    return job


def carry(job: BulkJob) -> BulkJob:
    """Do what is left of it. Idempotent: one worker at a time; what has a result is not touched again."""
    if not _claim(job):
        return job
    try:
        _carry(job)
    except MeshlineError as error:
        job.problem = error.message
    job.ended_at = timezone.now()
    job.save(update_fields=["results", "problem", "ended_at"])
    return job


def nudge(job: BulkJob) -> None:
    """Ring again where nobody carries it: the bell was lost, or its worker died."""
    silent = job.beat_at is None or job.beat_at < timezone.now() - SILENT
    if job.asked_at and not job.ended_at and silent:
        jobs.ring(TASK, at_most_every_s=5, job_id=job.pk)


def again(job: BulkJob) -> BulkJob:
    """A new draft with those that were refused. Raises Invalid where none was."""
    return make(BulkAction(job.action), [item["id"] for item in job.results if item["problem"]], by=job.by)


def _claim(job: BulkJob) -> bool:
    now = timezone.now()
    free = Q(beat_at=None) | Q(beat_at__lt=now - SILENT)
    rows = BulkJob.objects.filter(free, pk=job.pk, asked_at__isnull=False, ended_at=None)
    claimed = bool(rows.update(beat_at=now))
    job.refresh_from_db()
    return claimed


def _carry(job: BulkJob) -> None:
    options = options_of(job.options)
    settled = {item["id"] for item in job.results}
    left = [ident for ident in job.idents if ident not in settled]
    for start in range(0, len(left), SLICE):
        chosen = left[start : start + SLICE]
        found = bulk.perform(
            records(job, chosen), BulkAction(job.action), by=job.by, reason=job.reason, options=options
        )
        job.results += [{"id": item.ident, "problem": item.problem, "code": item.code} for item in found]
        job.beat_at = timezone.now()
        job.save(update_fields=["results", "beat_at"])
