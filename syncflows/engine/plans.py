"""The plan of a run: its steps with reference, idempotency key and document. Same event and same versions give the same plan. Pure."""

from __future__ import annotations

from typing import Any

from meshline.kernel import fingerprint
from meshline.kernel.errors import MeshlineError
from meshline.kernel.expressions import Scope, compiled
from syncflows.engine import templates
from syncflows.engine.carry import Carry
from syncflows.engine.enums import FactKind, StepStatus
from syncflows.engine.models import Step
from syncflows.governance.catalog import Versioned
from syncflows.governance.schemas.base import ENGINE_FUNCTIONS
from syncflows.governance.schemas.flows import Step as StepSpec

_late: dict[tuple[int, str, int], bool] = {}
REFERENCE_LENGTH = 200
LATE = ""  # the document's fingerprint of a step whose document reads what earlier steps answered


class NoReference(MeshlineError):
    """A step's reference came out empty: without one, a write could not be recognised again."""

    default_code = "reference_missing"


def make(carry: Carry) -> None:
    """Set `carry.steps` to the planned steps, unsaved. Steps that the run has already are kept by index in `engine.batch`."""
    assert carry.scope is not None
    carry.steps = [
        step for index, spec in enumerate(carry.flow.spec.steps) if (step := _step(carry, index, spec, carry.scope))
    ]
    versions = [
        carry.flow.label,
        carry.contract.label,
        carry.mapping.label,
        *(policy.label for policy in carry.policies),
    ]
    planned = [
        [step.name, step.system, step.operation, step.reference, step.document_fingerprint] for step in carry.steps
    ]
    carry.run.plan_fingerprint = fingerprint.of([versions, planned])
    said = " > ".join(step.name for step in carry.steps) or "no outside step"
    carry.say(
        FactKind.PLAN,
        f"Plan: {said}",
        versions=versions,
        fingerprint=carry.run.plan_fingerprint,
        steps=[_shown(step) for step in carry.steps],
    )


def idempotency_key(*, system: str, operation: str, reference: str, content: str = "") -> str:
    """Deterministic: the same write has the same key, in every run, on every machine. `content` tells updates of one document apart."""
    return f"{operation[:40]}-{fingerprint.short([system, operation, reference, content], length=32)}"


def complete(step: Step, spec: StepSpec, scope: Scope, answers: dict[str, Any]) -> None:
    """Work out the document of a step that reads what earlier steps answered."""
    scope.put("steps", answers)
    step.document = templates.evaluate(spec.document, scope)
    step.document_fingerprint = fingerprint.of(step.document)


def is_late(step: Step) -> bool:
    return step.document_fingerprint == LATE


def _step(carry: Carry, index: int, spec: StepSpec, scope: Scope) -> Step | None:
    if spec.when and not compiled(spec.when, extra=ENGINE_FUNCTIONS).evaluate(scope):
        return None
    reference = str(compiled(spec.reference, extra=ENGINE_FUNCTIONS).evaluate(scope) or "").strip()
    if not reference:
        raise NoReference(
            f"The reference `{spec.reference}` of step {spec.name} is empty for {carry.run.canonical_key}.",
            context={"step": spec.name},
        )
    if len(reference) > REFERENCE_LENGTH:
        raise NoReference(
            f"The reference of step {spec.name} has {len(reference)} characters for {carry.run.canonical_key[:60]}; at most {REFERENCE_LENGTH} are kept, and cut "
            "short it could be another document's.",
            code="reference_too_long",
            context={"step": spec.name},
        )
    late = _reads_answers(carry.flow, index)
    document = {} if late else templates.evaluate(spec.document, scope)
    return Step(
        run=carry.run, index=index, name=spec.name, system=spec.system, operation=spec.operation, status=StepStatus.PLANNED, reference=reference,
        idempotency_key=idempotency_key(system=spec.system, operation=spec.operation, reference=reference), document=document,
        document_fingerprint=LATE if late else fingerprint.of(document),
    )  # fmt: skip


def _reads_answers(flow: Versioned, index: int) -> bool:
    """Whether a step's document reads what earlier steps answered; worked out once for each version."""
    place = (flow.id, flow.fingerprint, index)
    if place not in _late:
        _late[place] = templates.reads(flow.spec.steps[index].document, "steps")
    return _late[place]


def _shown(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "system": step.system,
        "operation": step.operation,
        "reference": step.reference,
    }
