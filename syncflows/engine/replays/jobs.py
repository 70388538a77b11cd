"""What people do with a replay: ask for it, preview it, start, pause, resume, cancel it, and try the rest again. `carrying` does the work.

Every act checks the person; the job's status moves under its lock, with its audit row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from meshline.audit import ledger
from meshline.kernel import actors, jobs, transitions
from meshline.kernel.errors import Conflict, Invalid, Missing
from ownership.models import User
from ownership.permissions import Ability, check_user_can
from syncflows.engine.machines import REPLAY
from syncflows.engine.models import ReplayItem, ReplayJob
from syncflows.engine.replays import carrying, corrections, selection
from syncflows.engine.replays.enums import (
    OVER,
    REST,
    RUNNABLE,
    Correction,
    ReplayOutcome,
    ReplayStatus,
    ReplayVerdict,
    Versions,
)

REASON_MAX = 2_000
PACE_MAX = 1_000
AT_ONCE = 1
DEFAULT_PACE = 10


@dataclass(frozen=True)
class How:
    """How to replay. `looks`: whether the preview asks the target; `per_second`: records started a second."""

    versions: str = Versions.CURRENT
    from_step: str = ""
    correction: Mapping[str, Any] | None = None
    looks: bool = True
    per_second: int = DEFAULT_PACE


def make(chosen: Mapping[str, Any], how: How, *, by: User, reason: str) -> ReplayJob:
    """A draft: nothing is looked at yet. Raises NotAllowed, Invalid, Missing, BadQuery."""
    check_user_can(by, Ability.FIX_AND_REPLAY)
    reason = _reason(reason)
    kept = selection.check(chosen)
    found = selection.count(kept)
    correction = corrections.check(how.correction)
    _check_how(how, found)
    with transaction.atomic():
        job = ReplayJob.objects.create(
            asked_by=by, reason=reason, selection=kept, versions=how.versions, from_step=how.from_step.strip(), correction=correction, looks=how.looks,
            per_second=how.per_second,
        )  # fmt: skip
        detail = {"selection": kept, "versions": how.versions, "from_step": how.from_step, "correction": correction}
        ledger.append(
            act="replay.made",
            by=actors.of(by),
            object_kind="replay",
            object_id=job.public_id,
            reason=reason,
            detail=detail,
        )
    return job


def preview(job: ReplayJob, *, by: User) -> ReplayJob:
    """Evaluate the selection and look ahead: at once for a single record, else in the background. Raises NotAllowed, Conflict, Invalid. Locks: the job."""
    check_user_can(by, Ability.FIX_AND_REPLAY)
    with transaction.atomic():
        ReplayJob.objects.select_for_update().get(pk=job.pk)
        _move(job, expected=ReplayStatus.DRAFT, to=ReplayStatus.PREVIEWING, by=by)
        total = selection.evaluate(job)
        ReplayJob.objects.filter(pk=job.pk).update(total=total, evaluated_at=timezone.now())
        if total > AT_ONCE:
            jobs.enqueue(carrying.TASK, job_id=job.pk)
    if total <= AT_ONCE:
        carrying.carry(job.pk)
    job.refresh_from_db()
    return job


def ask(chosen: Mapping[str, Any], how: How, *, by: User, reason: str) -> ReplayJob:
    """Make it and begin its preview."""
    with transaction.atomic():
        job = make(chosen, how, by=by, reason=reason)
    return preview(job, by=by)


def start(job: ReplayJob, *, by: User) -> ReplayJob:
    """Begin to run what was previewed. What would fail, and what is refused, is left as it is. Raises NotAllowed, Conflict. Idempotent: one start wins."""
    check_user_can(by, Ability.FIX_AND_REPLAY)
    now = timezone.now()
    with transaction.atomic():
        job = _move(
            job, expected=ReplayStatus.PREVIEWED, to=ReplayStatus.RUNNING, by=by, started_at=now, released_at=now
        )
        waiting = ReplayItem.objects.filter(job=job, outcome=ReplayOutcome.WAITING)
        left = {ReplayVerdict.REFUSED: ReplayOutcome.REFUSED, ReplayVerdict.FAIL: ReplayOutcome.SKIPPED}
        for verdict, outcome in left.items():
            waiting.filter(verdict=verdict).update(
                outcome=outcome, outcome_reason="As the preview said.", settled_at=now
            )
        jobs.enqueue(carrying.TASK, job_id=job.pk)
    return job


def pause(job: ReplayJob, *, by: User) -> ReplayJob:
    """Start no more for now; what has begun ends. Raises NotAllowed, Conflict."""
    check_user_can(by, Ability.FIX_AND_REPLAY)
    return _move(job, expected=ReplayStatus.RUNNING, to=ReplayStatus.PAUSED, by=by)


def resume(job: ReplayJob, *, by: User) -> ReplayJob:
    """Raises NotAllowed, Conflict."""
    check_user_can(by, Ability.FIX_AND_REPLAY)
    with transaction.atomic():
        job = _move(
            job, expected=ReplayStatus.PAUSED, to=ReplayStatus.RUNNING, by=by, released_at=timezone.now(), problem=""
        )
        jobs.enqueue(carrying.TASK, job_id=job.pk)
    return job


def cancel(job: ReplayJob, *, by: User) -> ReplayJob:
    """Start no more, ever: what has begun ends by itself, the rest stays untouched. Raises NotAllowed, Conflict. Locks: the job."""
    check_user_can(by, Ability.FIX_AND_REPLAY)
    now = timezone.now()
    with transaction.atomic():
        expected = tuple(status for status in ReplayStatus if status not in OVER)
        job = _move(job, expected=expected, to=ReplayStatus.CANCELLED, by=by, ended_at=now)
        waiting = ReplayItem.objects.filter(job=job, outcome=ReplayOutcome.WAITING)
        waiting.update(
            outcome=ReplayOutcome.CANCELLED, outcome_reason="The replay was cancelled before its turn.", settled_at=now
        )
    return job


def again(job: ReplayJob, *, by: User, reason: str = "") -> ReplayJob:
    """A new replay of what failed, changed since the preview, or was not reached; its preview begins. Raises Conflict where the job is not over, or nothing is left."""
    if job.status not in OVER:
        raise Conflict(
            f"{job.public_id} is {job.get_status_display().lower()}. Wait until it is over, or cancel it.",
            code="replay_not_over",
        )
    if not ReplayItem.objects.filter(job=job, outcome__in=REST).exists():
        raise Conflict(f"Nothing of {job.public_id} is left to try again.", code="nothing_left")
    how = How(job.versions, job.from_step, job.correction, job.looks, job.per_second)
    chosen = {"job": job.public_id, "outcomes": [outcome.value for outcome in REST]}
    return ask(chosen, how, by=by, reason=reason or job.reason)


def get(public_id: str) -> ReplayJob:
    """Raises Missing."""
    found = ReplayJob.objects.select_related("asked_by").filter(public_id=public_id).first()
    if found is None:
        raise Missing(f"There is no replay {public_id}.")
    return found


def runnable(job: ReplayJob) -> int:
    """How many a start would run."""
    return ReplayItem.objects.filter(job=job, outcome=ReplayOutcome.WAITING, verdict__in=RUNNABLE).count()


def _move(job: ReplayJob, *, expected: Any, to: str, by: User, **values: Any) -> ReplayJob:
    moved: ReplayJob = transitions.move(
        ReplayJob, job.pk, machine=REPLAY, expected=expected, to=to, by=actors.of(by), reason=job.reason, **values
    )
    return moved


def _reason(text: str) -> str:
    found = (text or "").strip()
    if not found:
        raise Invalid("A replay needs a reason: it becomes part of each record's lineage.", code="reason_missing")
    if len(found) > REASON_MAX or "\0" in found:
        raise Invalid(
            f"The reason is longer than {REASON_MAX:,} characters or holds a NUL. Shorten or mend it.",
            code="bad_reason",
        )
    return found


def _check_how(how: How, found: int) -> None:
    if how.versions not in Versions.values:
        raise Invalid(f"versions is one of: {', '.join(Versions.values)}.", code="unknown_versions")
    if not 1 <= how.per_second <= PACE_MAX:
        raise Invalid(f"The pace is between 1 and {PACE_MAX:,} records a second.", code="bad_pace")
    if len(how.from_step) > 80 or "\0" in how.from_step:
        raise Invalid("The step to start from is not the name of a step.", code="unknown_step")
    if how.correction and how.correction.get("kind") == Correction.PAYLOAD and found != 1:
        raise Invalid(
            f"A whole payload corrects one record; {found:,} match. Use a merge patch for several.",
            code="payload_for_one",
        )
