"""What each planned step of a replay would do beside what was written before: the decisions of `engine.adoption`, without writing. Pure.

`tests/integration/engine/replays` holds both to the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from syncflows.engine import plans
from syncflows.engine.adoption import IGNORE, is_update, left_alone, spec_of
from syncflows.engine.carry import Carry
from syncflows.engine.enums import IN_FLIGHT, TERMINAL, RunStatus, StepStatus
from syncflows.engine.models import Step
from syncflows.engine.soft import marks
from syncflows.enums import ExceptionClass


class Does(StrEnum):
    """What a step would do. Values are kept with previews."""

    CREATE = "create"
    UPDATE = "update"
    NOTHING = "nothing"
    WAIT = "wait"
    FAIL = "fail"


@dataclass
class Effect:
    """One step. `reason` a sentence; `external_id` the target's id where it is known; `late`: the document reads what earlier steps will answer."""

    step: Step
    does: Does
    reason: str
    external_id: str = ""
    late: bool = False
    failure: dict[str, str] = field(default_factory=dict)


Steps = Mapping[int, Step]
Owners = Mapping[str, Step]


def of_plan(carry: Carry, *, own: Steps, owners: Owners) -> list[Effect]:
    """One effect a planned step, in order. `own` the run's rows by index, `owners` who owns a write, by idempotency key (with their runs)."""
    answers: dict[str, Any] = {}
    found = []
    for planned in carry.steps:
        effect = _of_step(carry, planned, own.get(planned.index), owners.get(planned.idempotency_key), answers)
        found.append(effect)
        if effect.does == Does.NOTHING:
            done = own.get(planned.index) or owners.get(planned.idempotency_key)
            answers[planned.name] = {"external_id": effect.external_id, "answer": (done and done.answer) or {}}
    return found


def _of_step(carry: Carry, planned: Step, own: Step | None, owner: Step | None, answers: dict[str, Any]) -> Effect:
    late = plans.is_late(planned)
    if own is not None and own.status == StepStatus.SKIPPED and left_alone(carry, own):
        return Effect(planned, Does.NOTHING, "a person skipped it; it stays so")
    effect = _beside_own(carry, planned, own, late=late) if _is_own(own) else None
    if effect is None and owner is not None and (own is None or owner.pk != own.pk):
        effect = _beside_other(carry, planned, owner, late=late)
    if late and (effect is None or effect.does != Does.NOTHING):
        late = not _completed(carry, planned, answers)
    effect = effect or Effect(planned, Does.CREATE, f"{planned.reference} would be created in {planned.system}")
    effect.late = late
    if effect.does in (Does.CREATE, Does.UPDATE) and _is_staged(carry, planned, own):
        effect.does, effect.reason = (
            Does.WAIT,
            f"{planned.reference} would wait in the soft ledger until it is promoted",
        )
    return effect


def _is_staged(carry: Carry, planned: Step, own: Step | None) -> bool:
    under_way = own is not None and own.status in IN_FLIGHT
    return (
        not under_way
        and marks.is_soft(carry.run, carry.flow.spec, planned)
        and marks.decision(carry.run, planned) is None
    )


def _is_own(own: Step | None) -> bool:
    return own is not None and (own.owns_write or own.status == StepStatus.DONE)


def _completed(carry: Carry, planned: Step, answers: dict[str, Any]) -> bool:
    """Whether the document could be worked out from what earlier steps answered."""
    assert carry.scope is not None
    if len(answers) < sum(step.index < planned.index for step in carry.steps):
        return False
    plans.complete(planned, spec_of(carry, planned), carry.scope, answers)
    return True


def _beside_own(carry: Carry, planned: Step, own: Step | None, *, late: bool) -> Effect | None:
    assert own is not None
    wrote = own.status in (StepStatus.DONE, *IN_FLIGHT)
    if wrote and (own.name, own.system) != (planned.name, planned.system):
        said = f"this run has written {own.name} where the flow has the step {planned.name} by now"
        return _fails(planned, said, ExceptionClass.PARTIAL, "steps_changed", own.external_id)
    if own.status in IN_FLIGHT:
        said = f"{own.reference} was sent and not answered: it is looked up in {own.system} first, and sent only if it is not there"
        return Effect(planned, Does.UPDATE if is_update(own) else Does.CREATE, said, own.external_id)
    if own.status == StepStatus.DONE:
        same = late or own.document_fingerprint == planned.document_fingerprint
        if same or left_alone(carry, own):
            return Effect(planned, Does.NOTHING, f"done as {own.external_id}; it stays as it is", own.external_id)
        return _changed(carry, planned, own)
    return _changed(carry, planned, own) if is_update(own) else None


def _beside_other(carry: Carry, planned: Step, owner: Step, *, late: bool) -> Effect | None:
    other = owner.run
    done = owner.status == StepStatus.DONE
    if other.compensation is not None and other.status not in TERMINAL:
        return Effect(
            planned,
            Does.WAIT,
            f"what {other.public_id} wrote of this record is being taken back; this waits for its end",
        )
    if not done and other.pk != carry.run.pk and other.status == RunStatus.RUNNING:
        return Effect(
            planned, Does.WAIT, f"{other.public_id} is writing {planned.reference} just now; this waits for it"
        )
    if not done and not is_update(owner):
        said = f"takes over the unfinished write of {other.public_id}"
        return Effect(planned, Does.CREATE, said)
    spec, same = spec_of(carry, planned), done and (late or planned.document_fingerprint == owner.document_fingerprint)
    ours = other.canonical_key == carry.run.canonical_key
    if (same and ours) or (done and spec.look_first and spec.on_change == IGNORE):
        return Effect(
            planned, Does.NOTHING, f"done already as {owner.external_id} by {other.public_id}", owner.external_id
        )
    if not ours:
        said = f"{planned.reference} is in {planned.system} already as {owner.external_id} for {other.canonical_key}, by {other.public_id}"
        return _fails(planned, said, ExceptionClass.DUPLICATE, "reference_already_written", owner.external_id)
    return _changed(carry, planned, owner)


def _changed(carry: Carry, planned: Step, owner: Step) -> Effect:
    spec = spec_of(carry, planned)
    if spec.on_change == IGNORE:
        return Effect(
            planned, Does.NOTHING, f"exists as {owner.external_id}; its flow leaves changes out", owner.external_id
        )
    if spec.on_change == "update" and spec.update:
        return Effect(planned, Does.UPDATE, f"{owner.external_id} would be changed by {spec.update}", owner.external_id)
    said = f"{planned.reference} is in {planned.system} already as {owner.external_id}, with different content; a second one would not be written"
    return _fails(planned, said, ExceptionClass.DUPLICATE, "reference_already_written", owner.external_id)


def _fails(planned: Step, said: str, exception_class: ExceptionClass, reason: str, external_id: str) -> Effect:
    return Effect(planned, Does.FAIL, said, external_id, failure={"class": exception_class.value, "reason": reason})
