"""What a run's planned steps mean beside what was written before: kept, taken over, adopted, turned into an update, or refused as a duplicate.

"Not twice": an idempotency key has one owner. Whoever plans the same write again adopts its outcome instead of repeating it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from meshline.kernel import bulk_rows, clock
from syncflows.engine import failures, outcomes, plans, undos
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import IN_FLIGHT, TERMINAL, FactKind, RunStatus, StepStatus
from syncflows.engine.models import Run, Step, WriteAttempt
from syncflows.enums import ExceptionClass
from syncflows.governance.schemas.flows import Step as StepSpec

OTHER_IS_BUSY_S = 3
BEING_TAKEN_BACK_S = 30
IGNORE = "ignore"
CONTENT = (
    "name", "system", "operation", "status", "reference", "idempotency_key", "owns_write", "document", "document_fingerprint", "external_id", "answer",
    "done_at", "sent_before",
)  # fmt: skip


def settle(carries: Sequence[Carry]) -> None:
    """Replace each carry's planned steps by rows to work on, saved. May bring a carry to rest. Call in a transaction, with the runs locked."""
    own: dict[tuple[int, int], Step] = {
        (step.run_id, step.index): step for step in Step.objects.filter(run__in=[carry.run.pk for carry in carries])
    }
    owners = owners_of(carries)
    fresh: list[Step] = []
    for carry in carries:
        carry.steps = [
            _settled(carry, planned, own.get((carry.run.pk, planned.index)), owners, fresh) for planned in carry.steps
        ]
    new = set(map(id, fresh))
    bulk_rows.create(fresh)
    tried = {step.pk: carry for carry in carries for step in carry.steps if id(step) not in new}
    for attempt in WriteAttempt.objects.filter(step__in=tried).order_by("number") if tried else ():
        tried[attempt.step_id].attempts[attempt.step_id] = attempt
    for carry in carries:
        _let_go(carry)


def owners_of(carries: Sequence[Carry]) -> dict[str, Step]:
    """Who owns each planned write, by idempotency key; plans that follow what was taken back get keys of their own. Writes nothing."""
    owners = _owners(step.idempotency_key for carry in carries for step in carry.steps)
    _write_anew(carries, owners)
    return owners


def _owners(keys: Iterable[str]) -> dict[str, Step]:
    rows = Step.objects.select_related("run").filter(idempotency_key__in=set(keys), owns_write=True)
    return {step.idempotency_key: step for step in rows}


def _write_anew(carries: Sequence[Carry], owners: dict[str, Step]) -> None:
    """What was taken back keeps its key for ever; what is written after it has a key of its own, made of that one."""
    behind = [(carry, step) for carry in carries for step in carry.steps if _taken_back(step, owners)]
    while behind:
        for carry, step in behind:
            owner = owners[step.idempotency_key]
            carry.gone.setdefault(step.index, set()).add(owner.external_id)
            step.idempotency_key = plans.idempotency_key(
                system=step.system, operation=step.operation, reference=step.reference, content=f"after {owner.idempotency_key}"
            )  # fmt: skip
        owners |= _owners(step.idempotency_key for _, step in behind)
        behind = [(carry, step) for carry, step in behind if _taken_back(step, owners)]


def _taken_back(step: Step, owners: dict[str, Step]) -> bool:
    owner = owners.get(step.idempotency_key)
    return owner is not None and owner.status == StepStatus.COMPENSATED


def _let_go(carry: Carry) -> None:
    """Steps that failed before and are not required: the run goes on without them, and its ticket says what they said."""
    for step in carry.steps:
        if step.status == StepStatus.REJECTED and step.index not in carry.let_go:
            last = carry.attempts.get(step.pk)
            said, code = (last.error, last.error_code) if last else ("", "")
            carry.let_go[step.index] = outcomes.GiveUp(
                ExceptionClass.DATA_QUALITY, code or "rejected", said or "refused", "Mend the cause and replay: only what is missing is done."
            )  # fmt: skip


def spec_of(carry: Carry, step: Step) -> StepSpec:
    """The definition of a step of the carry's flow, or of what takes one back."""
    if step.undoes is not None:
        return undos.as_spec(step)
    found: StepSpec = carry.flow.spec.steps[step.index]
    return found


def refuse_changed(carry: Carry, step: Step, *, wanted: Step, other: str) -> None:
    """Bring the carry to rest as a duplicate: the reference is written already, with other content."""
    message = f"{step.reference} is in {step.system} already as {step.external_id or 'a document'} ({other}), with different content; a second one was not written"
    failure = failures.of(
        carry, ExceptionClass.DUPLICATE, "reference_already_written", message, step=step.name, system=step.system, written=step.document,
        wanted=wanted.document, external_id=step.external_id,
        remedy="Compare both sides. Change the document in the target by hand and close this, or correct the payload to match and replay.",
    )  # fmt: skip
    carry.say(FactKind.ADOPTED, message, external_id=step.external_id)
    carry.rest = carry.rest or Rest(RunStatus.FAILED, message, failure=failure)


def key_to_send(carry: Carry, step: Step) -> str:
    """The key that goes out with the call. An update has one of its own, by content; its row keeps the document's, and with it the ownership."""
    if step.operation == spec_of(carry, step).operation:
        return step.idempotency_key
    content = f"{step.document_fingerprint}:{carry.run.event_id}:{carry.run.human_actions}"
    return plans.idempotency_key(
        system=step.system, operation=step.operation, reference=step.reference, content=content
    )


def is_update(step: Step) -> bool:
    """Whether the document exists and this step, not done yet, changes it."""
    return bool(step.external_id) and step.status != StepStatus.DONE and step.undoes is None


def left_alone(carry: Carry, own: Step) -> bool:
    """Whether the run was replayed from a later step: what is done before that stays as it is."""
    start = (carry.run.replay or {}).get("from_index")
    return start is not None and own.index < int(start)


def _settled(carry: Carry, planned: Step, own: Step | None, owners: dict[str, Step], fresh: list[Step]) -> Step:
    if own is not None and _of_another_plan(carry, planned, own):
        return own
    if (
        own is not None
        and own.status == StepStatus.SKIPPED
        and (own.name, own.system) == (planned.name, planned.system)
    ):
        return own
    if own is not None and (own.owns_write or own.status == StepStatus.DONE):
        return _own(carry, planned, own)
    owner = owners.get(planned.idempotency_key)
    if owner is not None:
        _beside(carry, planned, owner)
    if own is not None:
        return become(own, planned)
    fresh.append(planned)
    if planned.owns_write:
        owners[planned.idempotency_key] = (
            planned  # another run of this batch that plans the same write waits for this one
        )
    return planned


def _of_another_plan(carry: Carry, planned: Step, own: Step) -> bool:
    """Whether the flow has another step by now where this run has written already. Then nobody can tell what is done; a person decides."""
    if own.status not in (StepStatus.DONE, *IN_FLIGHT) or (own.name, own.system) == (planned.name, planned.system):
        return False
    message = f"This run has written {own.name} ({own.external_id or 'outcome unknown'}) where the flow has the step {planned.name} by now"
    failure = failures.of(
        carry, ExceptionClass.PARTIAL, "steps_changed", message, step=planned.name, system=own.system, external_id=own.external_id,
        remedy="Apply the flow with its earlier steps again and replay, or finish this record by hand in the target and close this.",
    )  # fmt: skip
    carry.rest = carry.rest or Rest(RunStatus.FAILED, message, failure=failure)
    return True


def _own(carry: Carry, planned: Step, own: Step) -> Step:
    """A step that this run has had before."""
    if own.status == StepStatus.REJECTED and not spec_of(carry, own).required:
        return own  # it failed and is not required: only a replay tries it again
    if own.status in IN_FLIGHT:
        if is_update(own):
            _as_update(carry, planned, own)
        carry.wanted[own.index] = planned
        return own
    if own.status == StepStatus.DONE:
        if left_alone(carry, own):
            return own
        if not plans.is_late(planned) and own.document_fingerprint != planned.document_fingerprint:
            _changed(carry, planned, own, other=carry.run.public_id)
            if planned.status != StepStatus.DONE and not carry.rest:
                return become(own, planned)
        return own
    if is_update(own):
        _changed(carry, planned, own, other=carry.run.public_id)
        return own if carry.rest else become(own, planned)
    return become(own, planned)


def become(own: Step, planned: Step) -> Step:
    """Give a row the content of the planned step, and save it."""
    for name in CONTENT:
        setattr(own, name, getattr(planned, name))
    own.save()
    return own


def _beside(carry: Carry, planned: Step, owner: Step) -> None:
    """Another run owns this write. Decide by how far it came."""
    if owner.run.compensation is not None and owner.run.status not in TERMINAL:
        _wait_for_the_end(carry, planned, owner.run)
    elif owner.status != StepStatus.DONE and owner.run_id != carry.run.pk and not _at_rest(owner):
        planned.owns_write = False
        reason = f"{owner.run.public_id} is writing {planned.reference} just now"
        carry.rest = carry.rest or Rest(
            RunStatus.RETRYING, reason, due_at=clock.now() + timedelta(seconds=OTHER_IS_BUSY_S), counts=False
        )
    elif owner.status == StepStatus.DONE or is_update(owner):
        _beside_done(carry, planned, owner)
    else:
        _take_over(carry, planned, owner)


def _wait_for_the_end(carry: Carry, planned: Step, other: Run) -> None:
    """Whoever builds on a write that is being taken back would build on nothing."""
    planned.owns_write = False
    reason = f"What {other.public_id} wrote of this record is being taken back; this event waits until that has ended"
    due_at = clock.now() + timedelta(seconds=BEING_TAKEN_BACK_S)
    carry.rest = carry.rest or Rest(RunStatus.RETRYING, reason, due_at=due_at, counts=False)


def _at_rest(owner: Step) -> bool:
    """Whether nobody carries the other run, nor can claim it before our transaction ends. Locks: the other run, without waiting."""
    rows = (
        Run.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(pk=owner.run_id)
        .exclude(status=RunStatus.RUNNING)
    )
    return rows.first() is not None


def _beside_done(carry: Carry, planned: Step, owner: Step) -> None:
    planned.owns_write = False
    same = not is_update(owner) and (
        plans.is_late(planned) or planned.document_fingerprint == owner.document_fingerprint
    )
    spec = spec_of(carry, planned)
    if same and owner.run.canonical_key == carry.run.canonical_key:
        _adopt(carry, planned, owner)
    elif spec.look_first and spec.on_change == IGNORE:
        _adopt(carry, planned, owner)  # it may be there from before, whoever wrote it, and whatever it says
    elif owner.run.canonical_key != carry.run.canonical_key:
        refuse_changed(carry, owner, wanted=planned, other=f"for {owner.run.canonical_key}, by {owner.run.public_id}")
    else:
        _changed(carry, planned, owner, other=owner.run.public_id)


def _changed(carry: Carry, planned: Step, owner: Step, *, other: str) -> None:
    """Same record, same reference, other content: as the flow says."""
    spec = spec_of(carry, planned)
    if spec.on_change == IGNORE:
        _adopt(carry, planned, owner)
    elif spec.on_change == "update" and spec.update:
        _as_update(carry, planned, owner)
        carry.say(
            FactKind.PLAN,
            f"{planned.reference} exists as {owner.external_id}; {planned.name} becomes {spec.update}",
            external_id=owner.external_id,
        )
    else:
        refuse_changed(carry, owner, wanted=planned, other=other)


def _as_update(carry: Carry, planned: Step, owner: Step) -> None:
    """Who updates a document owns it from now on: its row keeps the document's key and, once done, its newest content."""
    Step.objects.filter(idempotency_key=planned.idempotency_key, owns_write=True).exclude(
        run=carry.run, index=planned.index
    ).update(owns_write=False)
    planned.operation, planned.external_id, planned.owns_write = (
        spec_of(carry, planned).update or owner.operation,
        owner.external_id,
        True,
    )


def _adopt(carry: Carry, planned: Step, owner: Step) -> None:
    planned.owns_write = owner.run_id == carry.run.pk and owner.owns_write
    planned.status, planned.external_id, planned.answer, planned.done_at = (
        StepStatus.DONE,
        owner.external_id,
        owner.answer,
        owner.done_at,
    )
    planned.document, planned.document_fingerprint = owner.document, owner.document_fingerprint
    carry.say(
        FactKind.ADOPTED,
        f"{planned.name}: already done as {owner.external_id} by {owner.run.public_id}",
        external_id=owner.external_id,
    )


def _take_over(carry: Carry, planned: Step, owner: Step) -> None:
    """The earlier run of this record never finished the write: it is this run's now, with whatever may have been sent."""
    Step.objects.filter(pk=owner.pk).update(owns_write=False)
    if owner.status in IN_FLIGHT:
        carry.wanted[planned.index] = Step(
            **{field.attname: getattr(planned, field.attname) for field in Step._meta.concrete_fields}
        )
        planned.document, planned.document_fingerprint, planned.status = (
            owner.document,
            owner.document_fingerprint,
            StepStatus.UNKNOWN,
        )
        planned.sent_before = _last_sent(owner)
    carry.say(
        FactKind.PLAN, f"{planned.name} takes over the unfinished write of {owner.run.public_id}", status=owner.status
    )


def _last_sent(owner: Step) -> datetime | None:
    return max((attempt.sent_at for attempt in owner.attempts.all() if attempt.sent_at), default=None)
