"""A run that cannot be finished goes backwards: what it wrote is taken back, last first, by writes under the same protocol as any other.

Called by the batch at the places where it decides, settles, judges and ends. Must not call outside: it says which step is next, `engine.execute` does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from meshline.kernel import bulk_rows, clock
from meshline.kernel.errors import MeshlineError
from syncflows.engine import contracts, failures, outcomes, repair, undos
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import IN_FLIGHT, AttemptStatus, FactKind, RunStatus, StepStatus
from syncflows.engine.models import Run, Step, WriteAttempt
from syncflows.engine.ordering import place
from syncflows.enums import ExceptionClass

COMPENSATE = "compensate"
CAUSES = (ExceptionClass.PARTIAL, ExceptionClass.ACCOUNTING, ExceptionClass.TRANSIENT, ExceptionClass.DATA_QUALITY)
LOST_CODE = "outcome_unknown"


def prepare(carry: Carry, *, newest: Run | None) -> None:
    """The names that undo documents read, from what was written then: nothing is looked up or judged anew. May bring the carry to rest."""
    if carry.broken:
        carry.rest = _stuck(
            carry, carry.broken.message, "The flow owner applies the definition again; then compensate again."
        )
        return
    carry.payload = _payload(carry)
    carry.names = {"payload": carry.payload, carry.mapping.spec.object: carry.run.canonical or {}}
    if newest is not None and place(newest) > place(carry.run):
        reason = (
            f"{newest.public_id} carried a newer event of {carry.run.canonical_key} and builds on what this run wrote"
        )
        carry.rest = _stuck(
            carry, reason, f"Decide on {newest.public_id}; what this run wrote is its affair now. Then close this."
        )


def settle(carries: Sequence[Carry]) -> None:
    """Give each carry the steps to work on: writes whose outcome is unknown, else the undos. Call in a transaction, with the runs locked."""
    if not carries:
        return
    rows: dict[int, list[Step]] = {carry.run.pk: [] for carry in carries}
    for step in Step.objects.filter(run__in=list(rows)).order_by("index"):
        rows[step.run_id].append(step)
    tried = _last_attempts([step for steps in rows.values() for step in steps])
    for carry in carries:
        carry.attempts = {step.pk: tried[step.pk] for step in rows[carry.run.pk] if step.pk in tried}
        _settled(carry, rows[carry.run.pk])


def next_step(carry: Carry) -> Step | None:
    """The write that is to be decided or undone next. A write that turns out not to be there is not sent any more."""
    return next(
        (
            step
            for step in carry.steps
            if step.status in IN_FLIGHT or (step.undoes is not None and step.status != StepStatus.DONE)
        ),
        None,
    )


def takes(carry: Carry, step: Step, outcome: outcomes.GiveUp) -> bool:
    """Whether the give-up of a step is ours to handle: an undo that is refused, a step that may fail, or the beginning of a compensation."""
    if carry.backward:
        carry.rest = _refused(carry, step, outcome)
        return True
    spec = undos.spec_of(carry, step)
    if spec is not None and not spec.required and step.status not in IN_FLIGHT:
        step.status = StepStatus.REJECTED
        carry.let_go[step.index] = outcome
        carry.say(FactKind.ANSWERED, f"{step.name} failed and is not required; the run goes on without it")
        return True
    return _begins(carry, step, outcome)


def undone(steps: Sequence[Step], carry_of: dict[int, Carry]) -> None:
    """Mark what these undos, done by now, took back. In the transaction that records their answers."""
    changed = []
    for step in steps:
        if step.undoes is not None and step.status == StepStatus.DONE:
            carry = carry_of[step.run_id]
            original = carry.originals[step.undoes]
            original.status = StepStatus.COMPENSATED
            carry.say(
                FactKind.COMPENSATED, f"{original.name}: {original.external_id} is taken back in {original.system}", external_id=original.external_id
            )  # fmt: skip
            changed.append(original)
    if changed:
        bulk_rows.update(changed, ["status"])


def ended(carry: Carry) -> Rest:
    """Nothing is left to do now: the undos are planned next, or all is taken back."""
    if not carry.originals_known:
        return Rest(RunStatus.PENDING, "what was sent is decided; taking back what was written", due_at=clock.now())
    told = carry.run.compensation or {}
    taken = [
        f"{step.name} {step.external_id}".strip()
        for step in carry.originals.values()
        if step.status == StepStatus.COMPENSATED
    ]
    said = f"Taken back: {', '.join(taken)}" if taken else "Nothing was left to take back"
    if carry.left:
        said += "; left: " + "; ".join(carry.left)
    return Rest(RunStatus.COMPENSATED, said, failure=_told(carry, said) if told.get("automatic") else None)


def begun(run: Run, *, by: str, reason: str, cause: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a run remembers of its compensation. `cause`: of an automatic one."""
    return {
        "since": clock.now().isoformat(), "by": by, "reason": reason, "automatic": cause is not None, "cause": cause or {},
        "rounds": (run.compensation or {}).get("rounds", 0) + 1,
    }  # fmt: skip


def optional_failure(carry: Carry) -> Any:
    """The failure of steps that were not required, for the ticket of a run that completed without them; None where all is done."""
    if not carry.let_go:
        return None
    steps = {step.index: step for step in carry.steps}
    index, outcome = next(iter(carry.let_go.items()))
    names = ", ".join(steps[other].name for other in carry.let_go)
    remedy = f"The run is complete without {names}. {outcome.remedy}"
    return failures.of(
        carry, outcome.exception_class, outcome.reason, f"{names} failed: {outcome.message}", remedy=remedy, step=steps[index].name,
        system=steps[index].system, document=steps[index].document, reference=steps[index].reference, **outcome.context,
    )  # fmt: skip


def _begins(carry: Carry, step: Step, outcome: outcomes.GiveUp) -> bool:
    """Turn the run round, where its flow says so and everything it wrote is known and was made by it."""
    specs = [(done, undos.spec_of(carry, done)) for done in carry.steps if done.status == StepStatus.DONE]
    ours = [done for done, _ in specs if done.owns_write]
    clear = not any(other.status in IN_FLIGHT for other in carry.steps) and not any(
        undos.is_change(*pair) for pair in specs
    )
    if carry.flow.spec.on_partial != COMPENSATE or not ours or not clear or outcome.exception_class not in CAUSES:
        return False
    cause = {
        "class": outcome.exception_class.value, "reason": outcome.reason, "message": outcome.message, "remedy": outcome.remedy, "step": step.name,
        "system": step.system,
    }  # fmt: skip
    carry.run.compensation = begun(carry.run, by="", reason=outcome.message, cause=cause)
    carry.run.tries, carry.run.first_failed_at, carry.turned = 0, None, True
    said = f"{step.name} cannot be done; what this run wrote is taken back, last first: {', '.join(done.name for done in reversed(ours))}"
    carry.say(FactKind.COMPENSATING, said, cause=cause)
    carry.rest = Rest(RunStatus.PENDING, said, due_at=clock.now())
    return True


def _settled(carry: Carry, steps: list[Step]) -> None:
    forward = undos.forward(steps)
    carry.originals = {step.index: step for step in forward}
    for step in forward:
        _forget_unsent(step, carry.attempts.get(step.pk))
    carry.steps = [step for step in reversed(forward) if step.status in IN_FLIGHT and step.owns_write]
    if carry.steps:
        return
    try:
        carry.steps = _undos(carry, forward, undos.current(steps))
    except MeshlineError as error:
        remedy = "Correct the step's `undo` in the flow, apply it, and compensate again; or undo by hand and accept the record as it is."
        carry.rest = _stuck(carry, f"An undo cannot be worked out: {error.message}", remedy)


def _undos(carry: Carry, forward: list[Step], known: list[Step]) -> list[Step]:
    """The undos of the steps that are done, made where they are not there yet; sets what is left alone, and says all of it once."""
    scope, have, fresh = undos.scope_of(carry, forward), {step.undoes: step for step in known}, []
    for step in reversed(forward):
        if step.status == StepStatus.DONE and step.index not in have:
            spec = undos.spec_of(carry, step)
            why = undos.left_because(step, spec, carry.attempts.get(step.pk), scope)
            if why:
                carry.left.append(f"{step.name} {step.external_id} ({why})")
            elif spec is not None:
                fresh.append(undos.make(step, spec, scope))
    carry.originals_known = True
    if fresh:
        bulk_rows.create(fresh)
        said = "To be taken back: " + ", ".join(f"{step.name} ({step.operation} {step.external_id})" for step in fresh)
        carry.say(FactKind.PLAN, said, left=carry.left, keys=[step.idempotency_key for step in fresh])
    return sorted([*known, *fresh], key=lambda step: step.index)


def _forget_unsent(step: Step, last: WriteAttempt | None) -> None:
    """A write that was intended and never sent did not happen, and is not wanted any more."""
    if step.status == StepStatus.INTENDED and step.sent_before is None and (last is None or last.sent_at is None):
        step.status = StepStatus.PLANNED
        step.save(update_fields=["status"])
        if last is not None:
            last.status = AttemptStatus.NOT_SENT
            last.save(update_fields=["status"])


def _last_attempts(steps: Sequence[Step]) -> dict[int, WriteAttempt]:
    rows = WriteAttempt.objects.filter(step__in=[step.pk for step in steps]).order_by("number")
    return {attempt.step_id: attempt for attempt in rows}


def _refused(carry: Carry, step: Step, outcome: outcomes.GiveUp) -> Rest:
    original = carry.originals.get(step.undoes) if step.undoes is not None else None
    what = f"{original.name} {original.external_id}" if original else f"{step.name} {step.reference}"
    message = f"{what} could not be taken back in {step.system}: {outcome.message}"
    remedy = (
        f"Undo {what} in {step.system} by hand and accept the record as it is; or mend the cause and compensate again: what is taken back stays so."
        if original
        else outcome.remedy
    )
    reason = "undo_refused" if original else outcome.reason
    return _failed(carry, message, remedy, reason=reason, step=step, outcome=outcome)


def _stuck(carry: Carry, message: str, remedy: str) -> Rest:
    return _failed(carry, message, remedy, reason="compensation_stuck")


def _failed(
    carry: Carry, message: str, remedy: str, *, reason: str, step: Step | None = None, outcome: outcomes.GiveUp | None = None
) -> Rest:  # fmt: skip
    told = dict(outcome.context) if outcome else {}
    failure = failures.of(
        carry, ExceptionClass.PARTIAL, reason, message, remedy=remedy, step=step.name if step else "", system=step.system if step else "",
        compensation=carry.run.compensation, repair=repair.snapshot(carry), **told,
    )  # fmt: skip
    return Rest(RunStatus.FAILED, message, failure=failure)


def _told(carry: Carry, said: str) -> Any:
    """The ticket of a run that turned round by itself: nothing is left in the targets, and the business still wants its outcome."""
    cause = (carry.run.compensation or {}).get("cause", {})
    remedy = f"Mend the cause and replay: it is written anew. Or close this if the record is not wanted any more. {cause.get('remedy', '')}"
    return failures.of(
        carry, ExceptionClass.PARTIAL, "compensated", f"{cause.get('step')} failed: {cause.get('message')} {said}.", remedy=remedy.strip(),
        step=str(cause.get("step", "")), system=str(cause.get("system", "")), compensation=carry.run.compensation, repair=repair.snapshot(carry),
    )  # fmt: skip


def _payload(carry: Carry) -> dict[str, Any]:
    given = carry.run.current_payload
    payload = given if isinstance(given, dict) else {}
    try:
        return contracts.read(carry.contract, payload)
    except MeshlineError:
        return payload  # its contract may have changed since; what undos read of it is as it arrived


def settled_at(sent_at: datetime, done_at: datetime | None) -> datetime:
    """From when a look-up that finds nothing may be believed: after the undo was sent, and after the document itself was made."""
    return max(at for at in (sent_at, done_at) if at)
