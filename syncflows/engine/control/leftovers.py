"""What a run that is given up leaves behind in other systems: it stays somebody's, as a `partial` ticket. Where it can be taken back, that begins here."""

from __future__ import annotations

from collections.abc import Sequence

from meshline.kernel.actors import Actor
from syncflows import hooks
from syncflows.engine.enums import IN_FLIGHT, StepStatus
from syncflows.engine.models import Run, Step
from syncflows.enums import ExceptionClass
from syncflows.hooks import Failure


def tell(run: Run, steps: Sequence[Step], *, by: Actor, reason: str) -> None:
    """Open the ticket, where anything was or may have been written. Call in the transaction that ends the run."""
    kept = (StepStatus.DONE, *IN_FLIGHT)
    written = [step for step in steps if step.owns_write and step.undoes is None and step.status in kept]
    if not written:
        return
    named = ", ".join(f"{step.name} {step.external_id or '(outcome unknown)'} in {step.system}" for step in written)
    hooks.failed([
        Failure(
            exception_class=ExceptionClass.PARTIAL, reason="given_up_half_done", event_id=run.event_id, run_id=run.pk, flow=run.flow,
            message=f"{run.canonical_key} was given up by {by} ({reason}), and what was written stays: {named}.", step=written[-1].name,
            system=written[-1].system, amount=run.amount, currency=run.currency, customer=run.customer, canonical_key=run.canonical_key,
            correlation_id=run.correlation_id, context={"canonical": run.canonical, "done": [_document(step) for step in written]},
            remedy="Take it back or keep it, in the target, and say which here; or replay the run to finish it.",
        )
    ])  # fmt: skip


def _document(step: Step) -> dict[str, str]:
    return {
        "step": step.name,
        "system": step.system,
        "external_id": step.external_id,
        "reference": step.reference,
        "status": step.status,
    }
