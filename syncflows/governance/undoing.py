"""Can what a flow writes be taken back? Asked when the flow is applied, of each step's `undo` and of flows that compensate. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncflows.governance import safety
from syncflows.governance.enums import Kind
from syncflows.governance.problems import PathParts, suggestion
from syncflows.governance.universe import Finding, Subject, Universe

COMPENSATE = "compensate"


def check(subject: Subject, universe: Universe) -> Iterator[Finding]:
    """Findings of a Flow's undos."""
    for index, step in enumerate(subject.spec.steps):
        path: PathParts = ("spec", "steps", index)
        if step.undo is not None:
            yield from _undo(subject, universe, step, (*path, "undo"))
        elif subject.spec.on_partial == COMPENSATE and index < len(subject.spec.steps) - 1 and not step.stays:
            message = f"step `{step.name}` has no `undo`: when the run is taken back, what it wrote stays."
            remedy = (
                "Give it an `undo`; or say `stays: true` if what it writes may stay (a customer may, an order may not)."
            )
            yield Finding(subject, path, message, remedy, is_warning=True)
    if sum(step.main for step in subject.spec.steps) > 1:
        yield Finding(
            subject,
            ("spec", "steps"),
            "more than one step is `main`.",
            "A record has one document of its own: mark one step.",
        )


def _undo(subject: Subject, universe: Universe, step: Any, path: PathParts) -> Iterator[Finding]:
    system = universe.get(Kind.SYSTEM, step.system)
    if system is None or system.connector != safety.HTTP:
        return  # other connectors bring their operations in code; what they lack is said when it is used
    operation = system.operations.get(step.undo.operation)
    if operation is None:
        message = f"System `{step.system}` has no operation `{step.undo.operation}`."
        yield Finding(
            subject,
            (*path, "operation"),
            message,
            suggestion(step.undo.operation, system.operations, kind="Its operations"),
        )
    elif operation.undoes != step.operation:
        takes = f"takes back `{operation.undoes}`" if operation.undoes else "does not say what it takes back"
        fitting = [name for name, found in system.operations.items() if found.undoes == step.operation]
        message = f"operation `{step.undo.operation}` {takes}, and the step is `{step.operation}`."
        yield Finding(
            subject,
            (*path, "operation"),
            message,
            suggestion(step.undo.operation, fitting, kind=f"Operations that say `undoes: {step.operation}`"),
        )
    elif operation.guard == safety.GUARD_NONE:
        message = f"`{step.undo.operation}` has guard `none`: an undo whose answer is lost could be done twice, or not at all."
        yield Finding(
            subject,
            (*path, "operation"),
            message,
            "Give the operation a guard and a `find`; what is taken back is looked up by it.",
        )
    yield from _finds_the_old_one(subject, system, step, path)


def _finds_the_old_one(subject: Subject, system: Any, step: Any, path: PathParts) -> Iterator[Finding]:
    """After an undo that leaves the document there, cancelled, a look-up for a new one must not find the old one."""
    made, undo = system.operations.get(step.operation), system.operations.get(step.undo.operation)
    if made is None or undo is None or made.find is None or made.find.match or undo.method == safety.REMOVES:
        return
    message = f"the `find` of `{step.operation}` has no `match`, so it finds documents that were taken back as well."
    remedy = "Add a `match` that leaves them out, such as `item.status != 'cancelled'`; Meshline knows only those that it took back itself."
    yield Finding(subject, path, message, remedy, is_warning=True)
