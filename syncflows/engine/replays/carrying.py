"""Carry a replay on: preview its records, start as many as its pace allows, note what ended. Rows are the truth: any worker goes on where another was killed.

A record is started in the transaction that says so, under the lock of its run, after a look ahead that must give what the preview gave.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from meshline.audit import ledger
from meshline.kernel import actors, bulk_rows, jobs, transitions
from meshline.kernel.errors import MeshlineError
from ownership.permissions import Ability, check_user_can
from syncflows.engine import runs
from syncflows.engine.enums import DUE, RunStatus
from syncflows.engine.machines import REPLAY
from syncflows.engine.models import ReplayItem, ReplayJob, Run
from syncflows.engine.replays import ahead
from syncflows.engine.replays.ahead import Asked, Forecast
from syncflows.engine.replays.enums import WORKING, ReplayOutcome, ReplayStatus, ReplayVerdict
from syncflows.governance import catalog as definitions

TASK = "engine.replay"
EVERY_S = 0.5
WORK_FOR_S = 20.0
PREVIEWED_AT_ONCE = 50
STARTED_AT_ONCE = 50
SETTLED_AT_ONCE = 500
PREVIEW_FIELDS = ["verdict", "verdict_reason", "detail", "canonical", "steps", "fingerprint"]
OUTCOME_FIELDS = ["outcome", "outcome_reason", "begun_at", "settled_at"]
GONE = "The run is not here any more: it was archived."
ENDINGS = {
    RunStatus.COMPLETED: ReplayOutcome.DONE,
    RunStatus.IGNORED: ReplayOutcome.DONE,
    RunStatus.HELD: ReplayOutcome.HELD,
    RunStatus.FAILED: ReplayOutcome.FAILED,
    RunStatus.ERRORED: ReplayOutcome.FAILED,
    RunStatus.SUPERSEDED: ReplayOutcome.REFUSED,
    RunStatus.CANCELLED: ReplayOutcome.CANCELLED,
    RunStatus.COMPENSATED: ReplayOutcome.FAILED,
}


def carry(job_id: int, *, now: datetime | None = None) -> bool:
    """Do what can be done now; whether something waits for its turn. Idempotent; safe from several workers at once. `now` for tests of the pace."""
    job = ReplayJob.objects.select_related("asked_by").filter(pk=job_id).first()
    if job is None:
        return False
    if job.status == ReplayStatus.PREVIEWING:
        _preview(job)
    end = time.monotonic() + WORK_FOR_S
    while _start_some(job, now or timezone.now()) and time.monotonic() < end:
        pass
    settle(job)
    return _waits(job)


def settle(job: ReplayJob) -> int:
    """Note what became of the records under way; and that the job is done when nothing is left. The count of those noted."""
    under_way = ReplayItem.objects.filter(job=job, outcome=ReplayOutcome.UNDER_WAY)
    rows = under_way.exclude(run__status__in=(*DUE, RunStatus.RUNNING)).select_related("run").order_by("pk")
    total = 0
    while ended := list(rows[:SETTLED_AT_ONCE]):
        for item in ended:
            item.outcome, item.outcome_reason = ENDINGS[RunStatus(item.run.status)], item.run.status_reason
            item.settled_at = timezone.now()
        bulk_rows.update(ended, OUTCOME_FIELDS)
        total += len(ended)
    _finish(job)
    return total


def nudge_all() -> None:
    """Ring for every replay that somebody should carry on: bells get lost, workers die. Two small queries."""
    under_way = ReplayItem.objects.filter(outcome=ReplayOutcome.UNDER_WAY).order_by().values("job").distinct()
    for pk in {*_working(), *under_way.values_list("job", flat=True)}:
        jobs.ring(TASK, at_most_every_s=EVERY_S, job_id=pk)


def nudge(job: ReplayJob) -> None:
    """As `nudge_all`, for one that somebody looks at."""
    if job.status in WORKING:
        jobs.ring(TASK, at_most_every_s=EVERY_S, job_id=job.pk)


def asked_of(job: ReplayJob) -> Asked:
    return Asked(job.versions, job.from_step, job.correction)


def _working() -> list[int]:
    return list(ReplayJob.objects.filter(status__in=WORKING).values_list("pk", flat=True))


def _waits(job: ReplayJob) -> bool:
    status = ReplayJob.objects.filter(pk=job.pk).values_list("status", flat=True).first()
    if status == ReplayStatus.PREVIEWING:
        return True
    return status == ReplayStatus.RUNNING and ReplayItem.objects.filter(job=job, outcome=ReplayOutcome.WAITING).exists()


def _preview(job: ReplayJob) -> None:
    """Page after page, by one worker at a time; what has a verdict is not looked at again."""
    if not _claim(job):
        return
    end = time.monotonic() + WORK_FOR_S
    try:
        while time.monotonic() < end and _still_previewing(job):
            page = list(ReplayItem.objects.filter(job=job, verdict="").order_by("pk")[:PREVIEWED_AT_ONCE])
            if not page:
                _previewed(job)
                return
            look_ahead(job, page)
    finally:
        ReplayJob.objects.filter(pk=job.pk).update(beat_at=None)


def look_ahead(job: ReplayJob, items: Sequence[ReplayItem]) -> None:
    """Set and save the verdicts of these items."""
    found = Run.objects.select_related("event").in_bulk([item.run_id for item in items])
    seen = ahead.forecast(found.values(), asked_of(job), catalog=definitions.current(), looks=job.looks)
    for item in items:
        _take(item, seen.get(item.run_id))
    bulk_rows.update(items, PREVIEW_FIELDS)


def _take(item: ReplayItem, one: Forecast | None) -> None:
    if one is None:
        item.verdict, item.verdict_reason = ReplayVerdict.REFUSED, GONE
        return
    item.verdict, item.verdict_reason, item.detail = one.verdict, one.reason, one.detail
    item.canonical, item.steps, item.fingerprint = one.canonical, one.steps, one.fingerprint


def _claim(job: ReplayJob) -> bool:
    now = timezone.now()
    free = Q(beat_at=None) | Q(beat_at__lt=now - timedelta(seconds=settings.MESHLINE_LEASE_S))
    return bool(ReplayJob.objects.filter(free, pk=job.pk, status=ReplayStatus.PREVIEWING).update(beat_at=now))


def _still_previewing(job: ReplayJob) -> bool:
    return bool(ReplayJob.objects.filter(pk=job.pk, status=ReplayStatus.PREVIEWING).update(beat_at=timezone.now()))


def _previewed(job: ReplayJob) -> None:
    _move(job, expected=ReplayStatus.PREVIEWING, to=ReplayStatus.PREVIEWED, previewed_at=timezone.now())


def _finish(job: ReplayJob) -> None:
    left = ReplayItem.objects.filter(job=job, outcome__in=(ReplayOutcome.WAITING, ReplayOutcome.UNDER_WAY))
    running = ReplayJob.objects.filter(pk=job.pk, status=ReplayStatus.RUNNING).exists()
    if running and not left.exists():
        _move(job, expected=ReplayStatus.RUNNING, to=ReplayStatus.DONE, ended_at=timezone.now())


def _move(job: ReplayJob, *, expected: str, to: str, **values: object) -> None:
    """Another worker, or a person, may have been faster: then it is theirs."""
    try:
        transitions.move(
            ReplayJob,
            job.pk,
            machine=REPLAY,
            expected=expected,
            to=to,
            by=actors.system("replays"),
            reason=job.reason,
            **values,
        )
    except MeshlineError:
        return


def _start_some(job: ReplayJob, now: datetime) -> int:
    """Start the next records, as many as the pace allows at this moment; their number. Locks: the job, then their runs."""
    with jobs.one_ring(), transaction.atomic():
        rows = ReplayJob.objects.select_for_update(of=("self",), skip_locked=True).select_related("asked_by")
        held = rows.filter(pk=job.pk, status=ReplayStatus.RUNNING).first()
        allowed = _allowed(held, now) if held is not None else 0
        if held is None or not allowed or not _may_go_on(held):
            return 0
        waiting = ReplayItem.objects.filter(job=held, outcome=ReplayOutcome.WAITING)
        items = list(waiting.select_for_update(of=("self",)).order_by("pk")[:allowed])
        if items:
            held.released_at = _used(held, len(items), now)
            held.save(update_fields=["released_at", "updated_at"])
            _start(held, items, now)
        return len(items)


def _allowed(job: ReplayJob, now: datetime) -> int:
    """What the pace has left: at most what a second brings, however long nobody came by."""
    since = max(job.released_at or now, now - timedelta(seconds=1))
    return max(0, min(int((now - since).total_seconds() * job.per_second + 1e-6), STARTED_AT_ONCE))


def _used(job: ReplayJob, number: int, now: datetime) -> datetime:
    since = max(job.released_at or now, now - timedelta(seconds=1))
    return since + timedelta(seconds=number / job.per_second)


def _may_go_on(job: ReplayJob) -> bool:
    """Who asked for it must still be allowed to."""
    try:
        check_user_can(job.asked_by, Ability.FIX_AND_REPLAY)
    except MeshlineError as error:
        _move(job, expected=ReplayStatus.RUNNING, to=ReplayStatus.PAUSED, problem=f"{job.asked_by}: {error.message}")
        return False
    return True


def _start(job: ReplayJob, items: Sequence[ReplayItem], now: datetime) -> None:
    rows = Run.objects.select_for_update(of=("self",)).select_related("event").order_by("pk")
    found = {run.pk: run for run in rows.filter(pk__in=[item.run_id for item in items])}
    seen = ahead.forecast(found.values(), asked_of(job), catalog=definitions.current())
    begun = [
        runs.Again(one.run, one.payload, job.from_step, one.pins, _correction(job))
        for item in items
        if (one := _judged(item, seen))
    ]
    refused = _replay(job, begun) if begun else ""
    for item in items:
        if item.outcome == ReplayOutcome.UNDER_WAY and refused:
            item.outcome, item.outcome_reason = ReplayOutcome.REFUSED, refused
        item.begun_at = now if item.outcome == ReplayOutcome.UNDER_WAY else None
        item.settled_at = None if item.outcome == ReplayOutcome.UNDER_WAY else now
    bulk_rows.update(items, OUTCOME_FIELDS)


def _judged(item: ReplayItem, seen: dict[int, Forecast]) -> Forecast | None:
    """Set the item's outcome; what to replay where it may begin: the world has not moved since its preview."""
    one = seen.get(item.run_id)
    item.outcome, item.outcome_reason = ReplayOutcome.UNDER_WAY, ""
    if one is None or one.verdict == ReplayVerdict.REFUSED:
        item.outcome, item.outcome_reason = ReplayOutcome.REFUSED, one.reason if one else GONE
        return None
    if one.fingerprint != item.fingerprint:
        was, now = ReplayVerdict(item.verdict).label.lower(), one.verdict.label.lower()
        moved = f"{was} then, {now} now" if was != now else "what would be written is another by now"
        item.outcome, item.outcome_reason = ReplayOutcome.CHANGED, f"Changed since the preview: {moved}. {one.reason}"
        return None
    return one


def _correction(job: ReplayJob) -> str:
    return str(job.correction["of"]) if job.correction else ""


def _replay(job: ReplayJob, begun: Sequence[runs.Again]) -> str:
    """Why not, where what was looked at a moment ago cannot be done after all: then nothing of it is."""
    actor = actors.of(job.asked_by)
    try:
        with transaction.atomic():
            runs.replay_locked(begun, by=actor, reason=job.reason, job=job.public_id)
            detail = {"runs": [again.run.public_id for again in begun]}
            ledger.append(
                act="run.replayed",
                by=actor,
                object_kind="replay",
                object_id=job.public_id,
                reason=job.reason,
                detail=detail,
            )
    except MeshlineError as error:
        return error.message
    return ""
