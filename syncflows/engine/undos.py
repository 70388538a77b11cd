"""What takes a step back: where it stands among the steps of its run, what it sends, and which writes are ours to take back. Pure.

Places of steps: below `FIRST_UNDO` the steps of the flow; from there on their undos, last step first; from `FIRST_KEPT` on what earlier rounds of the
run did and took back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from meshline.kernel import fingerprint
from meshline.kernel.expressions import Scope, compiled
from syncflows.connectors.protocol import Guard
from syncflows.engine import plans, templates
from syncflows.engine.carry import Carry
from syncflows.engine.enums import StepStatus
from syncflows.engine.models import Step, WriteAttempt
from syncflows.governance.schemas import flows

FIRST_UNDO = 1000
FIRST_KEPT = 2000
FROM_BEFORE = "from_before"  # an attempt's detail: what it gave was in the target before this run
DUPLICATE = "duplicate"


def place_of(step: Step) -> int:
    """Where its undo stands: the later step is taken back earlier."""
    return FIRST_KEPT - 1 - step.index


def forward(steps: Iterable[Step]) -> list[Step]:
    """The steps of the flow, without undos and what earlier rounds left."""
    return [step for step in steps if step.index < FIRST_UNDO]


def current(steps: Iterable[Step]) -> list[Step]:
    """The undos of this round, in their order."""
    return [step for step in steps if FIRST_UNDO <= step.index < FIRST_KEPT]


def spec_of(carry: Carry, step: Step) -> flows.Step | None:
    """The definition of a step of the flow as it is now, found by its place and name, or by its name alone."""
    found: Sequence[flows.Step] = carry.flow.spec.steps if carry.flow.spec else ()
    if step.index < len(found) and found[step.index].name == step.name:
        return found[step.index]
    return next((spec for spec in found if (spec.name, spec.system) == (step.name, step.system)), None)


def as_spec(step: Step) -> flows.Step:
    """An undo as the protocol reads any step: nothing is looked for first, nothing changed."""
    return flows.Step.model_construct(
        name=step.name, system=step.system, operation=step.operation, reference="''", document={}
    )


def left_because(step: Step, spec: flows.Step | None, last: WriteAttempt | None, scope: Scope) -> str:
    """Why a done step is not taken back, in words; empty where it is."""
    if not step.owns_write or (last is not None and last.detail.get(FROM_BEFORE)):
        return "it was there before this run"
    if spec is not None and step.operation != spec.operation:
        return "it was changed, not made, by this run: nobody but a person can restore what it said before"
    if spec is None or spec.undo is None:
        return "the flow says that it stays" if spec and spec.stays else "the flow does not say how it is taken back"
    if spec.undo.when and not compiled(spec.undo.when).evaluate(scope):
        return f"the flow leaves it where `{spec.undo.when}` is not true"
    return ""


def is_change(step: Step, spec: flows.Step | None) -> bool:
    """Whether the run changed a document that was there from before it."""
    return step.status == StepStatus.DONE and step.owns_write and spec is not None and step.operation != spec.operation


def make(step: Step, spec: flows.Step, scope: Scope) -> Step:
    """The undo of a done step, unsaved. Raises EvaluationFailed where its document cannot be worked out."""
    assert spec.undo is not None
    undo = spec.undo
    document = templates.evaluate(undo.document, scope)
    reference = str(compiled(undo.reference).evaluate(scope)).strip() if undo.reference else step.reference
    key = plans.idempotency_key(
        system=step.system, operation=undo.operation, reference=reference, content=f"undo {step.idempotency_key}"
    )
    return Step(
        run_id=step.run_id, index=place_of(step), name=f"undo-{step.name}"[:80], system=step.system, operation=undo.operation, reference=reference[:200],
        idempotency_key=key, document=document, document_fingerprint=fingerprint.of(document), external_id=step.external_id, undoes=step.index,
    )  # fmt: skip


def scope_of(carry: Carry, steps: Sequence[Step]) -> Scope:
    """What undos read: payload, the canonical object as it was written, and what the steps answered."""
    answers = {
        step.name: {"external_id": step.external_id, "answer": step.answer or {}}
        for step in steps
        if step.status in (StepStatus.DONE, StepStatus.COMPENSATED)
    }
    return Scope({**carry.names, "steps": answers})


def from_before(*, found: bool, looked_first: bool, error_code: str, guard: Guard, created: bool) -> bool:
    """Whether a done write's document was there before it. Where that cannot be told it counts as there before: nothing is taken back on a guess."""
    if found:
        return looked_first or error_code == DUPLICATE
    return guard == Guard.UPSERT and not created


def about(answers: Sequence[Any], *, external_id: str) -> list[Any]:
    """The answers that speak of this document."""
    return [answer for answer in answers if answer.external_id == external_id]
