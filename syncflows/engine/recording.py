"""Write down what a wave intends, sends and got back: attempts, steps and facts, each in its own short transaction."""

from __future__ import annotations

from collections.abc import Sequence

from meshline.kernel import bulk_rows, clock, jsontext
from syncflows.connectors.protocol import Answer
from syncflows.engine import compensation, execute, failures, outcomes, records, resting, undos
from syncflows.engine.adoption import become, is_update, key_to_send
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import Action, AttemptStatus, FactKind, RunStatus, StepStatus
from syncflows.engine.execute import Job, Result
from syncflows.engine.models import WriteAttempt

INTENDED_FIELDS = ["status", "document", "document_fingerprint", "external_id", "sent_before"]
ANSWERED_FIELDS = ["status", "external_id", "answer", "done_at", "sent_before"]
ATTEMPT_FIELDS = ["status", "answered_at", "error_code", "error", "detail"]


def intend(jobs: Sequence[Job], *, tried_before: Sequence[Job]) -> None:
    """Commit that these writes go out now: from here on, silence means unknown, and a probe comes before anything is sent again.

    Earlier attempts are closed: one that was never sent as such, one that was sent by a worker that died unanswered as unknown; it is sent
    again only where the far side recognises its key.
    """
    sends = [job for job in jobs if job.action == Action.SEND]
    _close_earlier([job for job in tried_before if job.action == Action.SEND])
    _say_sent(sends)
    probes = [job.attempt for job in jobs if job.action == Action.PROBE and job.attempt.pk is None]
    bulk_rows.create([*(job.attempt for job in sends), *probes])
    bulk_rows.update([job.step for job in sends], INTENDED_FIELDS)
    resting.tell([job.carry for job in sends])


def _close_earlier(jobs: Sequence[Job]) -> None:
    if not jobs:
        return
    earlier = WriteAttempt.objects.filter(step__in=[job.step.pk for job in jobs])
    earlier.filter(status=AttemptStatus.SENT).update(
        status=AttemptStatus.UNKNOWN, error="not answered; sent again under the same key"
    )
    earlier.filter(status=AttemptStatus.INTENDED).update(status=AttemptStatus.NOT_SENT)


def _say_sent(sends: Sequence[Job]) -> None:
    now = clock.now()
    for job in sends:
        job.attempt.status, job.attempt.sent_at, job.step.status = AttemptStatus.SENT, now, StepStatus.SENT
        said = f"{job.step.name}: {job.step.operation} sent to {job.step.system}, attempt {job.attempt.number}"
        job.carry.say(
            FactKind.SENT,
            said,
            reference=job.step.reference,
            idempotency_key=key_to_send(job.carry, job.step),
            attempt=job.attempt.number,
        )


def answered(results: Sequence[Result]) -> None:
    """Commit what came back, bring runs to rest that cannot go on now, and save the records that were delivered."""
    delivered = []
    for result in results:
        had_any = any(step.status == StepStatus.DONE for step in result.job.carry.steps)
        known = records.main_ids(result.job.carry)
        _take(result)
        if result.job.carry.backward:
            continue
        if result.job.step.status == StepStatus.DONE and (not had_any or records.main_ids(result.job.carry) != known):
            delivered.append(result.job.carry)
    steps = [result.job.step for result in results]
    bulk_rows.update(steps, ANSWERED_FIELDS)
    compensation.undone(steps, {result.job.step.run_id: result.job.carry for result in results})
    bulk_rows.update([result.job.attempt for result in results], ATTEMPT_FIELDS)
    carries = [result.job.carry for result in results]
    for carry in carries:
        carry.rest = carry.rest or execute.completed(carry)
    resting.apply(carries)
    records.apply(delivered)


def _take(result: Result) -> None:
    outcome = execute.judge(result)
    job = result.job
    match outcome:
        case outcomes.Done():
            _done(job, outcome.answer, found=outcome.found)
        case outcomes.Unknown():
            _unknown(job, outcome, result)
        case outcomes.NotThere():
            _not_there(job)
        case outcomes.Again():
            _again(job, outcome, result)
        case outcomes.GiveUp():
            _given_up(job, outcome, result)
        case None:
            _errored(job, result)


def _done(job: Job, answer: Answer, *, found: bool) -> None:
    step, now = job.step, clock.now()
    step.status, step.external_id, step.answer, step.done_at = (
        StepStatus.DONE,
        jsontext.mended(answer.external_id)[:200],
        jsontext.mended(answer.document),
        now,
    )
    job.attempt.status, job.attempt.answered_at = AttemptStatus.ACKNOWLEDGED, now
    if undos.from_before(
        found=found, looked_first=job.sent_at == execute.LONG_AGO, error_code=job.attempt.error_code, guard=job.guard, created=answer.created
    ):  # fmt: skip
        job.attempt.detail = {**job.attempt.detail, undos.FROM_BEFORE: True}
    if found and step.undoes is not None:
        job.carry.say(
            FactKind.PROBED, f"{step.name}: a look-up shows that {step.external_id} is taken back in {step.system}"
        )
    elif found:
        said = f"{step.name}: found {step.reference} in {step.system} as {step.external_id}; adopted, not sent again"
        job.carry.say(FactKind.PROBED, said, reference=step.reference, external_id=step.external_id)
    else:
        said = f"{step.name}: {step.system} answered {step.external_id}"
        job.carry.say(FactKind.ANSWERED, said, external_id=step.external_id, created=answer.created)
    job.carry.known_as(step.external_id, f"{step.system}:{step.operation}"[:30])
    wanted = job.carry.wanted.pop(step.index, None)
    if wanted is not None and wanted.document_fingerprint and wanted.document_fingerprint != step.document_fingerprint:
        reason = f"{step.reference} is in {step.system} as it was before the record changed; what follows from that is decided next"
        job.carry.rest = Rest(RunStatus.RETRYING, reason, due_at=now, counts=False)


def _unknown(job: Job, outcome: outcomes.Unknown, result: Result) -> None:
    job.step.status, job.attempt.status = StepStatus.UNKNOWN, AttemptStatus.UNKNOWN
    _note_error(job, result)
    if outcome.looks:
        job.attempt.detail = {**job.attempt.detail, execute.LOOKS: outcome.looks}
    kind = FactKind.PROBED if job.action == Action.PROBE else FactKind.ANSWERED
    job.carry.say(
        kind,
        f"{job.step.name}: outcome unknown: {outcome.message}",
        reference=job.step.reference,
        attempt=job.attempt.number,
    )
    job.carry.rest = Rest(
        RunStatus.RETRYING,
        f"looking {job.step.reference} up in {job.step.system} before anything is sent again",
        due_at=outcome.due_at,
        counts=job.action == Action.SEND,
    )


def _not_there(job: Job) -> None:
    """It did not happen: the step may be sent, in the newest wanted form."""
    job.attempt.status, job.attempt.answered_at = AttemptStatus.NOT_SENT, clock.now()
    said = f"{job.step.reference} is not in {job.step.system}; it may be sent"
    if job.step.undoes is not None:
        said = f"{job.step.external_id} is not taken back in {job.step.system}; it may be sent again"
    if is_update(job.step):
        said = f"whether {job.step.external_id} was changed in {job.step.system} cannot be seen; the same change is sent again"
    job.carry.say(FactKind.PROBED, f"{job.step.name}: {said}", reference=job.step.reference)
    job.step.sent_before = None
    wanted = job.carry.wanted.pop(job.step.index, None)
    if wanted is not None:
        become(job.step, wanted)
    job.step.status = StepStatus.PLANNED


def _again(job: Job, outcome: outcomes.Again, result: Result) -> None:
    if job.action == Action.SEND:
        job.step.status = StepStatus.PLANNED
        job.attempt.status = AttemptStatus.NOT_SENT if outcome.ours else AttemptStatus.REJECTED
    _note_error(job, result)
    job.carry.say(
        FactKind.ANSWERED, f"{job.step.name}: {outcome.message}", code=outcome.code, attempt=job.attempt.number
    )
    counts = not outcome.outage and not outcome.ours
    reason = f"{outcome.message.rstrip('.')} ({outcome.why})" if outcome.why else outcome.message
    job.carry.rest = Rest(RunStatus.RETRYING, reason, due_at=outcome.due_at, counts=counts)


def _given_up(job: Job, outcome: outcomes.GiveUp, result: Result) -> None:
    if job.action == Action.SEND:
        job.step.status, job.attempt.status = StepStatus.REJECTED, AttemptStatus.REJECTED
    _note_error(job, result)
    job.carry.say(
        FactKind.ANSWERED,
        f"{job.step.name}: {outcome.message}",
        **{"class": outcome.exception_class, "reason": outcome.reason},
    )
    execute.give_up(job.carry, job.step, outcome)


def _errored(job: Job, result: Result) -> None:
    """A defect of ours, in the middle of a call: whether it arrived is unknown, so a replay probes first."""
    if job.action == Action.SEND:
        job.step.status, job.attempt.status = StepStatus.UNKNOWN, AttemptStatus.UNKNOWN
    _note_error(job, result)
    error = result.error or RuntimeError("a call ended with neither answer nor error")
    job.carry.rest = Rest(
        RunStatus.ERRORED,
        str(error),
        failure=failures.errored(job.carry, step=job.step.name, error=error, trace=result.trace),
    )


def _note_error(job: Job, result: Result) -> None:
    """What a write was answered stays with its attempt, whatever the look-ups say that follow it."""
    error = result.error
    if job.action == Action.PROBE:
        job.attempt.error = jsontext.mended(str(error))[:4000] if error else job.attempt.error
        job.attempt.detail = {name: value for name, value in job.attempt.detail.items() if name != execute.LOOKS}
        return
    job.attempt.answered_at = clock.now()
    job.attempt.error_code = str(getattr(error, "code", type(error).__name__ if error else ""))[:60]
    job.attempt.error = jsontext.mended(str(error or ""))[:4000]
    job.attempt.detail = jsontext.mended(getattr(error, "context", {}) or {})


def carries_of(jobs: Sequence[Job]) -> list[Carry]:
    return [job.carry for job in jobs]
