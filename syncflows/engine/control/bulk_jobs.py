"""A bulk act from choice to results: fixed runs, a preview, then the act by a worker, at a pace, with progress, cancel, and a retry of the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from meshline.kernel import jobs
from meshline.kernel.errors import Conflict, Invalid, MeshlineError, Missing
from ownership.models import User
from ownership.permissions import Ability, check_user_can
from syncflows.engine.control import bulk
from syncflows.engine.control.acts import REASON_LENGTH
from syncflows.engine.control.bulk import Preview
from syncflows.engine.control.enums import NEEDS_REASON, RunAct
from syncflows.engine.control.models import RunBulk

TASK = "engine.carry_run_bulk"
AT_ONCE = 50
SLICE = 25
MOST = 10_000
TURN_S = 20.0  # a worker carries one job no longer at a stretch, so that others get their turn
SILENT = timedelta(seconds=60)
DRAFTS_KEPT = timedelta(days=1)
_pause = threading.Event()


def make(act: RunAct, idents: Sequence[str], *, by: User, restart_budget: bool = False) -> RunBulk:
    """A draft for these runs. Raises NotAllowed, Invalid for none or too many. One's drafts that were never asked for are cleared after a day."""
    check_user_can(by, Ability.CONTROL_RUNS)
    if not idents:
        raise Invalid("No run is selected. Select at least one, then choose what to do.", code="nothing_selected")
    if len(idents) > MOST:
        raise Invalid(
            f"{len(idents):,} runs are more than one act takes ({MOST:,}). Narrow the filter.", code="too_many_records"
        )
    RunBulk.objects.filter(by=by, asked_at=None, made_at__lt=timezone.now() - DRAFTS_KEPT).delete()
    return RunBulk.objects.create(action=act, by=by, idents=list(idents), restart_budget=restart_budget)


def get(public_id: str, *, by: User) -> RunBulk:
    """One's own. Raises Missing."""
    found = RunBulk.objects.select_related("by").filter(public_id=public_id, by=by).first()
    if found is None:
        raise Missing(
            f"There is no bulk act {public_id} of yours. Drafts are cleared after a day; select the runs again."
        )
    return found


def preview(job: RunBulk) -> Preview:
    """What it would do now."""
    return bulk.preview(job.idents, RunAct(job.action), by=job.by)


def needs_reason(job: RunBulk) -> bool:
    return job.action in NEEDS_REASON


def ask(job: RunBulk, *, reason: str, restart_budget: bool | None = None) -> RunBulk:
    """Start it: at once for up to 50 runs, else by a worker. Raises Conflict (started or cancelled already), Invalid (no reason). Never done twice."""
    why = " ".join(reason.split())[:REASON_LENGTH]
    if needs_reason(job) and not why:
        raise Invalid("Say why: it is kept with each record.", code="reason_missing")
    values = {"asked_at": timezone.now(), "reason": why}
    if restart_budget is not None:
        values["restart_budget"] = restart_budget
    if not RunBulk.objects.filter(pk=job.pk, asked_at=None, cancelled_at=None).update(**values):
        raise Conflict(f"{job.public_id} was started or cancelled already.", code="started_already")
    job.refresh_from_db()
    if len(job.idents) <= AT_ONCE:
        return carry(job)
    jobs.enqueue(TASK, job_id=job.pk)
    return job


def cancel(job: RunBulk) -> RunBulk:
    """Do no more of it; what is done stays done. Raises Conflict where it has ended. Idempotent."""
    now = timezone.now()
    stopped = RunBulk.objects.filter(pk=job.pk, ended_at=None).update(cancelled_at=now)
    job.refresh_from_db()
    if not stopped and not job.cancelled_at:
        raise Conflict(f"{job.public_id} has ended already: everything in it was handled.", code="ended_already")
    if job.asked_at is None or job.beat_at is None or job.beat_at < now - SILENT:
        RunBulk.objects.filter(pk=job.pk, ended_at=None).update(ended_at=now)
    job.refresh_from_db()
    return job


def carry(job: RunBulk) -> RunBulk:
    """Do what is left of it, for a turn; then ring for the next. Idempotent: one worker at a time; what has a result is not touched again."""
    if not _claim(job):
        return job
    with jobs.one_ring():
        finished = _turn(job)
    if finished:
        job.ended_at = timezone.now()
        job.save(update_fields=["problem", "ended_at"])
        return job
    RunBulk.objects.filter(pk=job.pk).update(beat_at=None)
    jobs.enqueue(TASK, job_id=job.pk)
    return job


def nudge_all() -> int:
    """Ring again for those that nobody carries: the bell was lost, or the worker died; the count."""
    found = RunBulk.objects.filter(_free(), asked_at__isnull=False, ended_at=None)
    numbers = list(found.values_list("pk", flat=True)[:20])
    for number in numbers:
        jobs.ring(TASK, at_most_every_s=5, job_id=number)
    return len(numbers)


def again(job: RunBulk) -> RunBulk:
    """A new draft with those that were refused. Raises Invalid where none was."""
    refused = [item["id"] for item in job.results if item["problem"]]
    return make(RunAct(job.action), refused, by=job.by, restart_budget=job.restart_budget)


def _free() -> Q:
    return Q(beat_at=None) | Q(beat_at__lt=timezone.now() - SILENT)


def _claim(job: RunBulk) -> bool:
    rows = RunBulk.objects.filter(_free(), pk=job.pk, asked_at__isnull=False, ended_at=None)
    claimed = bool(rows.update(beat_at=timezone.now()))
    job.refresh_from_db()
    return claimed


def _turn(job: RunBulk) -> bool:
    """Slice by slice, at its pace; whether it is finished. A cancel takes effect between slices."""
    settled = {item["id"] for item in job.results}
    left = [ident for ident in job.idents if ident not in settled]
    end = time.monotonic() + TURN_S
    for start in range(0, len(left), SLICE):
        if time.monotonic() > end:
            return False
        if not _slice(job, left[start : start + SLICE]):
            return True
        more = start + SLICE < len(left)
        if more:
            _pause.wait(SLICE / max(1, job.per_second))
    return True


def _slice(job: RunBulk, chosen: list[str]) -> bool:
    """Whether to go on."""
    if RunBulk.objects.filter(pk=job.pk, cancelled_at__isnull=False).exists():
        job.refresh_from_db()
        return False
    try:
        found = bulk.perform(
            chosen, RunAct(job.action), by=job.by, reason=job.reason, restart_budget=job.restart_budget
        )
    except MeshlineError as error:
        job.problem = error.message
        return False
    job.results += [{"id": item.ident, "problem": item.problem, "code": item.code} for item in found]
    job.beat_at = timezone.now()
    job.save(update_fields=["results", "beat_at"])
    return True
