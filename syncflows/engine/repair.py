"""What half a run left behind, and what a person can do about it: read from its steps. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from syncflows.engine import undos
from syncflows.engine.carry import Carry
from syncflows.engine.enums import IN_FLIGHT, PARKED, StepStatus
from syncflows.engine.models import Run, Step
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind
from syncflows.governance.schemas import flows

AMOUNTS = ("total", "amount", "grand_total", "value")


@dataclass(frozen=True)
class Line:
    """One step of the plan. `status` of the step, `state` in words of a person: written, taken back, unknown, missing; `undo` what takes it back, or why nothing does."""

    step: str
    system: str
    operation: str
    reference: str
    external_id: str
    status: str
    state: str
    amount: str
    currency: str
    undo: str


@dataclass(frozen=True)
class Plan:
    """`written` stands in the targets now, `unknown` may, `missing` does not; `taken_back` did. `missing_from` the step a replay goes on from."""

    written: list[Line]
    taken_back: list[Line]
    unknown: list[Line]
    missing: list[Line]
    missing_from: str

    @property
    def lines(self) -> list[Line]:
        """All of it, what stands first."""
        return [*self.written, *self.unknown, *self.taken_back, *self.missing]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def plan(run: Run, steps: Sequence[Step], specs: Sequence[flows.Step]) -> Plan:
    """What is written where, what is not, and how each can be taken back. `specs`: the steps of the flow as it is now."""
    by_name = {spec.name: spec for spec in specs}
    undoing = {step.undoes: step for step in undos.current(steps)}
    lines = [(step, _line(run, step, by_name.get(step.name), undoing.get(step.index))) for step in undos.forward(steps)]
    missing = [step.name for step, _ in lines if step.status in (StepStatus.PLANNED, StepStatus.REJECTED)]
    return Plan(
        written=[line for step, line in lines if step.status == StepStatus.DONE],
        taken_back=[line for step, line in lines if step.status == StepStatus.COMPENSATED],
        unknown=[line for step, line in lines if step.status in IN_FLIGHT],
        missing=[line for step, line in lines if step.name in missing],
        missing_from=missing[0] if missing else "",
    )


def of_run(run: Run, steps: Sequence[Step], catalog: Catalog) -> Plan | None:
    """The plan of a run as it is now, by its flow as it is in force; None where nothing is half done. Reads nothing."""
    if not is_half_done(run, steps):
        return None
    found = catalog.by_kind.get(Kind.FLOW, {}).get(run.flow)
    return plan(run, steps, found.spec.steps if found else ())


def is_half_done(run: Run, steps: Sequence[Step]) -> bool:
    """Whether a plan says anything: the run rests, and some of it stands in a target while some does not."""
    shown = undos.forward(steps)
    wrote = any(step.status in (StepStatus.DONE, StepStatus.COMPENSATED, *IN_FLIGHT) for step in shown)
    open_ = any(step.status not in (StepStatus.DONE, StepStatus.COMPENSATED) for step in shown)
    return run.status in PARKED and wrote and (open_ or run.compensation is not None)


def snapshot(carry: Carry) -> dict[str, Any]:
    """The plan as it stands in a batch, for the ticket."""
    forward = [*carry.originals.values(), *(step for step in carry.steps if step.index < undos.FIRST_UNDO)]
    steps = sorted({step.index: step for step in [*forward, *carry.steps]}.values(), key=lambda step: step.index)
    return plan(carry.run, steps, carry.flow.spec.steps if carry.flow.spec else ()).as_json()


def _line(run: Run, step: Step, spec: flows.Step | None, undo: Step | None) -> Line:
    amount = next((str(step.document[name]) for name in AMOUNTS if step.document.get(name) not in (None, "")), "")
    currency = str(step.document.get("currency") or run.currency) if amount else ""
    return Line(
        step=step.name, system=step.system, operation=step.operation, reference=step.reference, external_id=step.external_id,
        status=step.status, state=StepStatus(step.status).label, amount=amount, currency=currency, undo=_undo(step, spec, undo),
    )  # fmt: skip


def _undo(step: Step, spec: flows.Step | None, undo: Step | None) -> str:
    if undo is not None:
        return f"{undo.operation}: {StepStatus(undo.status).label.lower()}"
    if step.status not in (StepStatus.DONE, *IN_FLIGHT):
        return ""
    if not step.owns_write:
        return "was there before this run"
    return spec.undo.operation if spec is not None and spec.undo is not None else "by hand only"
