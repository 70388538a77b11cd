"""The write protocol: intended and announced (committed) > sent > acknowledged | rejected | unknown. Unknown is probed before anything is sent again.

No network inside a database transaction, no database inside the threads that call.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from meshline.kernel import clock
from meshline.kernel.errors import MeshlineError
from meshline.kernel.expressions import EvaluationFailed
from syncflows.connectors.errors import Misconfigured, Outage, Rejected
from syncflows.connectors.protocol import Answer, Connector, Guard, Operation
from syncflows.engine import (
    budgets,
    compensation,
    connections,
    failures,
    outcomes,
    plans,
    records,
    repair,
    retry,
    stages,
    undos,
)
from syncflows.engine.adoption import is_update, spec_of
from syncflows.engine.calls import Wave
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.crosswalk import Unresolved
from syncflows.engine.enums import SETTLED, Action, AttemptStatus, FactKind, RunStatus, StepStatus
from syncflows.engine.limits.board import Board
from syncflows.engine.limits.gates import Gate
from syncflows.engine.models import Step, WriteAttempt
from syncflows.engine.soft import stopping
from syncflows.enums import ExceptionClass
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.retries import Retry

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # what is looked for before the first write has settled long since
DOUBTED = datetime(
    1970, 1, 2, tzinfo=UTC
)  # a refusal that something between us and the system may have spoken: looked up before it is sent again
LOOKS = "looks"
UNAVAILABLE = 503
SAFE_TO_REPEAT = (Guard.IDEMPOTENCY_KEY, Guard.UPSERT)


@dataclass
class Job:
    """One call to make in a wave. `sent_at` when a write that is probed was sent; `gate` its system's, once admitted; `took_s` what the call took."""

    carry: Carry
    step: Step
    action: Action
    system: Versioned
    connector: Connector
    operation: Operation
    attempt: WriteAttempt
    sent_at: datetime | None = None
    gate: Gate | None = None
    took_s: float | None = None

    @property
    def guard(self) -> Guard:
        return self.operation.guard

    @property
    def settle_s(self) -> float:
        own = self.operation.settle_s
        return float(self.system.spec.timeouts.settle_s if own is None else own)


@dataclass(frozen=True)
class Result:
    """What a call gave: a write's answer, a probe's answers, or an error; `trace` of an unexpected one."""

    job: Job
    answer: Answer | None = None
    found: tuple[Answer, ...] = ()
    error: BaseException | None = None
    trace: str = ""


def next_job(carry: Carry, *, catalog: Catalog, board: Board) -> Job | None:
    """The next call of a run; None when it is complete or came to rest. Pure but for building the connector."""
    step = _next_step(carry)
    if step is None:
        carry.rest = completed(carry)
        return None
    job = None
    try:
        if not carry.backward and stopping.stops(carry, step, complete=lambda late: _complete(carry, late)):
            return None
        carry.rest = board.rest(step.system)
        if carry.rest:
            return None
        job = _job(carry, step, catalog)
    except Exception as error:  # noqa: BLE001 - the boundary: a defect in one run's document must not break off the others of its batch
        _rest_of_error(carry, step, error)
    return job if job or carry.rest else next_job(carry, catalog=catalog, board=board)


def _next_step(carry: Carry) -> Step | None:
    if carry.backward:
        return compensation.next_step(carry)
    return next((step for step in carry.steps if step.status not in SETTLED and step.index not in carry.let_go), None)


def _rest_of_error(carry: Carry, step: Step, error: Exception) -> None:
    """Where a run comes to rest whose next call could not even be made."""
    if isinstance(error, Unresolved):
        carry.rest = stages.wait_for(carry, error)
    elif isinstance(error, EvaluationFailed):
        give_up(carry, step, outcomes.of_document(error, part_done=_part_done(carry)))
    elif isinstance(error, MeshlineError):
        unfit, now = _definition_error(error), clock.now()
        budget = retry.Budget(Retry(), tries=1)
        give_up(carry, step, outcomes.of_error(unfit, budget=budget, now=now, part_done=False, system=step.system))
    else:
        trace = "".join(traceback.format_exception(error))
        failure = failures.errored(carry, step=step.name, error=error, trace=trace)
        carry.rest = Rest(RunStatus.ERRORED, str(error), failure=failure)


def perform(jobs: Sequence[Job], *, holds: Callable[[], bool]) -> list[Result]:
    """Make the calls of a wave, concurrently within each system's limit. Never raises, and never hangs as long as a call may."""
    return Wave(jobs, Result, holds=holds).perform()


def judge(result: Result) -> outcomes.Outcome | None:
    """What the result means; None for an unexpected error (a defect of ours)."""
    job, now = result.job, clock.now()
    if result.error is None and job.action == Action.SEND and result.answer:
        return outcomes.Done(result.answer)
    if result.error is None:
        return _spent(_probed(result, now), job)
    if isinstance(result.error, MeshlineError):
        found = outcomes.of_error(
            result.error, budget=budgets.of(job), now=now, part_done=_part_done(job.carry), system=job.step.system
        )
        return _still_unknown(found, job, result.error)
    return None


def _probed(result: Result, now: datetime) -> outcomes.Outcome:
    """What a look-up found. What earlier rounds of the run took back still carries the reference, and is not what was written now."""
    job, sent_at = result.job, result.job.sent_at or now
    told: dict[str, Any] = {
        "settle_s": job.settle_s,
        "now": now,
        "reference": job.step.reference,
        "system": job.step.system,
    }
    if job.step.undoes is not None:
        original = job.carry.originals[job.step.undoes]
        since = compensation.settled_at(sent_at, original.done_at)
        return outcomes.of_undo_probe(
            list(result.found),
            removes=job.operation.removes,
            on_document=job.operation.on_document,
            external_id=original.external_id,
            sent_at=since,
            **told,
        )
    gone = job.carry.gone.get(job.step.index, ())
    found = [answer for answer in result.found if answer.external_id not in gone]
    outcome = outcomes.of_probe(found, sent_at=sent_at, update=is_update(job.step), **told)
    if isinstance(outcome, outcomes.NotThere) and sent_at not in (LONG_AGO, DOUBTED):
        return outcomes.looked(outcome, before=job.attempt.detail.get(LOOKS, 0), wanted=job.operation.looks, **told)
    return outcome


def give_up(carry: Carry, step: Step, outcome: outcomes.Outcome) -> None:
    """Bring the carry to rest with the ticket that an outcome calls for."""
    assert isinstance(outcome, outcomes.GiveUp)
    if compensation.takes(carry, step, outcome):
        return
    more: dict[str, Any] = {"repair": repair.snapshot(carry)} if _part_done(carry) else {}
    failure = failures.of(
        carry, outcome.exception_class, outcome.reason, outcome.message, remedy=outcome.remedy, step=step.name, system=step.system, severity=outcome.severity,
        document=step.document, reference=step.reference, done=[{"step": done.name, "external_id": done.external_id} for done in carry.steps if done.status == StepStatus.DONE],
        **more, **outcome.context,
    )  # fmt: skip
    carry.rest = Rest(RunStatus.FAILED, outcome.message, failure=failure)


def _job(carry: Carry, step: Step, catalog: Catalog) -> Job | None:
    system = catalog.get(Kind.SYSTEM, step.system)
    connector = connections.connection(system)
    operation = _operation(connector, step)
    last = carry.attempts.get(step.pk)
    sent_at = _unanswered(step, last)
    if sent_at is not None and _must_look(carry, operation, last):
        return _probe(carry, step, system, connector, operation, last, sent_at)
    if last is not None and _is_doubtful(last, operation, step):
        if operation.guard == Guard.NONE:
            return _probe(carry, step, system, connector, operation, last, DOUBTED)
        return Job(carry, step, Action.PROBE, system, connector, operation, last, sent_at=DOUBTED)
    attempt = WriteAttempt(
        step=step,
        number=(last.number if last else 0) + 1,
        lease_owner=carry.run.lease_owner,
        intended_at=clock.now(),
    )
    if _looks_first(carry, step, last) or _promoted_unseen(carry, step, system, operation):
        first = last if last is not None and last.status == AttemptStatus.INTENDED else attempt
        return Job(carry, step, Action.PROBE, system, connector, operation, first, sent_at=LONG_AGO)
    if plans.is_late(step):
        _complete(carry, step)
    return Job(carry, step, Action.SEND, system, connector, operation, attempt)


def _must_look(carry: Carry, operation: Operation, last: WriteAttempt | None) -> bool:
    """Whether an unanswered write is looked up before anything is sent. One that is safe to repeat is looked up only where repeating cannot tell:
    the far side says it has the document, or the document is not wanted any more."""
    if operation.guard not in SAFE_TO_REPEAT:
        return True
    return operation.finds and (carry.backward or (last is not None and last.error_code == undos.DUPLICATE))


def _is_doubtful(last: WriteAttempt, operation: Operation, step: Step) -> bool:
    """503 says that nothing was done; but a gateway says it too when it lost a system that had done it. Looking first costs one look-up."""
    if (
        last.status != AttemptStatus.REJECTED
        or last.detail.get("status") != UNAVAILABLE
        or step.sent_before is not None
    ):
        return False
    unsafe = operation.guard in (Guard.LOOKUP, Guard.UNIQUE_REFERENCE) and operation.finds and not is_update(step)
    return unsafe or operation.guard == Guard.NONE


def _complete(carry: Carry, step: Step) -> None:
    assert carry.scope is not None
    plans.complete(step, spec_of(carry, step), carry.scope, answers_of(carry))


def _promoted_unseen(carry: Carry, step: Step, system: Versioned, operation: Operation) -> bool:
    """Whether a document from the soft ledger is looked up before it is written. What cannot be looked up cannot be adopted."""
    if carry.backward or not stopping.looks_first(carry, step):
        return False
    declared = step.operation in system.spec.operations
    can = operation.finds if declared else operation.guard != Guard.NONE
    if not can and stopping.only_adopts(carry, step):
        raise Misconfigured(
            f"{step.operation} of {step.system} offers no look-up, so {step.reference} cannot be adopted."
        )
    return can


def _probe(
    carry: Carry, step: Step, system: Versioned, connector: Connector, operation: Operation, last: WriteAttempt | None, sent_at: datetime
) -> Job | None:  # fmt: skip
    if operation.guard == Guard.NONE:
        remedy = f"{step.operation} of {step.system} offers no look-up, so nobody but a person can tell. Look there, then replay or close this."
        message = f"{step.reference} was sent to {step.system} without a trustworthy answer; whether it arrived cannot be looked up"
        give_up(carry, step, outcomes.GiveUp(ExceptionClass.PARTIAL, "outcome_unknown", message, remedy))
        return None
    if last is None or last.status not in (AttemptStatus.SENT, AttemptStatus.UNKNOWN):
        number = last.number + 1 if last else 1
        last = WriteAttempt(
            step=step,
            number=number,
            lease_owner=carry.run.lease_owner,
            intended_at=sent_at,
            sent_at=sent_at,
            status=AttemptStatus.UNKNOWN,
        )
    return Job(carry, step, Action.PROBE, system, connector, operation, last, sent_at=sent_at)


def answers_of(carry: Carry) -> dict[str, dict[str, object]]:
    """What the done steps answered, for the documents of later ones."""
    return {
        step.name: {"external_id": step.external_id, "answer": step.answer or {}}
        for step in carry.steps
        if step.status == StepStatus.DONE
    }


def _unanswered(step: Step, last: WriteAttempt | None) -> datetime | None:
    """When this step was sent without a trustworthy answer, if it was."""
    if last is not None and last.status in (AttemptStatus.SENT, AttemptStatus.UNKNOWN):
        # What matters is when we stopped listening: the call may have waited for its turn long after it was announced.
        return max((at for at in (last.sent_at, last.answered_at) if at), default=LONG_AGO)
    return step.sent_before


def _looks_first(carry: Carry, step: Step, last: WriteAttempt | None) -> bool:
    """Whether the document may be there from before us, and nobody has looked yet."""
    spec = spec_of(carry, step)
    return (
        spec.look_first and step.operation == spec.operation and (last is None or last.status == AttemptStatus.INTENDED)
    )


def _operation(connector: Connector, step: Step) -> Operation:
    operation = connector.operations().get(step.operation)
    if operation is None:
        known = ", ".join(sorted(connector.operations()))
        raise Misconfigured(
            f"System {step.system} has no operation {step.operation!r} (step {step.name}). Operations: {known}."
        )
    return operation


def _part_done(carry: Carry) -> bool:
    return any(step.status == StepStatus.DONE and step.owns_write for step in carry.steps)


def _spent(found: outcomes.Outcome, job: Job) -> outcomes.Outcome:
    """A write that vanishes each time it is sent is not sent for ever: `tries` counts this claim too."""
    aside = job.carry.backward and job.step.undoes is None  # it is not sent again anyway
    if not isinstance(found, outcomes.NotThere) or job.sent_at in (LONG_AGO, DOUBTED) or aside:
        return found
    budget, now = budgets.of(job), clock.now()
    sent = budget.tries - 1
    if retry.exhausted(budget.policy, attempt=sent) or retry.out_of_time(budget, at=now, now=now):
        return outcomes.vanished(job.step.reference, system=job.step.system, tries=max(1, sent))
    return found


def _still_unknown(found: outcomes.Outcome, job: Job, error: BaseException) -> outcomes.Outcome:
    """An error of a probe says nothing of the write: it stays unknown, and is never given up as if it had not happened."""
    if job.action == Action.PROBE and isinstance(error, Rejected):
        return outcomes.look_up_refused(error, reference=job.step.reference, system=job.step.system)
    if job.action == Action.PROBE and isinstance(found, outcomes.Unknown | outcomes.Again):
        return outcomes.Again(
            found.due_at,
            f"could not look {job.step.reference} up: {found.message}",
            "probe_failed",
            outage=isinstance(error, Outage),
            ours=isinstance(found, outcomes.Again) and found.ours,
            why=getattr(found, "why", ""),
        )
    return found


def _definition_error(error: MeshlineError) -> MeshlineError:
    return error if isinstance(error, Misconfigured) else Misconfigured(error.message, code=error.code)


def completed(carry: Carry) -> Rest | None:
    """None while steps are left. Taken back, for a run that goes backwards; else completed; or, where every step was found done by earlier runs,
    ignored: the event changed nothing, and is not another order delivered."""
    if _next_step(carry) is not None:
        return None
    if carry.backward:
        return compensation.ended(carry)
    if carry.steps and not any(step.owns_write or step.status == StepStatus.SKIPPED for step in carry.steps):
        done = ", ".join(f"{step.name} {step.external_id}".strip() for step in carry.steps)
        carry.run.outcome = next((step.external_id for step in records.main_first(carry) if step.external_id), "")[:200]
        reason = f"Nothing changed: {done} was done before, with the same content"
        carry.say(FactKind.IGNORED, reason)
        return Rest(RunStatus.IGNORED, reason)
    return Rest(RunStatus.COMPLETED, _completed(carry), failure=compensation.optional_failure(carry))


def _completed(carry: Carry) -> str:
    done = [_told(step) for step in carry.steps]
    carry.run.outcome = next((step.external_id for step in records.main_first(carry) if step.external_id), "")[:200]
    return "Completed: " + ", ".join(done) if done else "Completed: the record is known; no outside step"


def _told(step: Step) -> str:
    return f"{step.name} {'skipped' if step.status == StepStatus.SKIPPED else step.external_id}".strip()
