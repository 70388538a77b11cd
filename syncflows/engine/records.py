"""Canonical records at their newest delivered state; and the runs that waited for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from meshline.kernel import actors, bulk_rows, clock, jobs, transitions
from syncflows import hooks
from syncflows.engine import crosswalk, lineage
from syncflows.engine.carry import Carry
from syncflows.engine.enums import FactKind, RunStatus, StepStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import CanonicalRecord, Run, Step
from syncflows.enums import HoldReason

RELEASED_AT_ONCE = 200
COLUMNS = (
    "object", "key", "flow", "source", "sequence", "event_id", "run_id", "document", "amount", "currency", "business_date", "external_ids", "delivered_at",
    "updated_at",
)  # fmt: skip
# What other systems call the record is added to what is known of it; everything else is as it was delivered last.
NEWEST = "(object, key, flow) DO UPDATE SET " + ", ".join(
    "external_ids = engine_canonicalrecord.external_ids || excluded.external_ids"
    if column == "external_ids"
    else f"{column} = excluded.{column}"
    for column in COLUMNS[3:]
)


def apply(carries: Sequence[Carry]) -> None:
    """Save the canonical object of each carry as the newest delivered state of its record, and release what waited for it.

    Call in the transaction that records the delivery. Idempotent: on (object, key, flow).
    """
    if not carries:
        return
    bulk_rows.insert(CanonicalRecord, COLUMNS, [_row(carry) for carry in carries], on_conflict=NEWEST)
    for carry in carries:
        if carry.identifiers:
            crosswalk.learn(
                entity=carry.mapping.spec.object,
                key=carry.run.canonical_key,
                names=carry.identifiers,
                by=f"{carry.run.public_id}",
            )
    release_waiting({wait for carry in carries for wait in _answers(carry)})


def withdraw(runs: Sequence[Run]) -> None:
    """What these runs delivered is taken back: their records are expected in no target any more. Call in the transaction that ends them."""
    if runs:
        CanonicalRecord.objects.filter(run__in=[run.pk for run in runs]).update(
            delivered_at=None, external_ids={}, updated_at=clock.now()
        )


def release_waiting(waits: set[str]) -> int:
    """Let runs go on that were held for one of these names, up to a bound; the count. The sweeper releases the rest. Call in a transaction."""
    held = Run.objects.filter(status=RunStatus.HELD, hold_reason=HoldReason.DEPENDENCY, waits_for__in=waits)
    runs = list(held.select_for_update(skip_locked=True).order_by("pk")[:RELEASED_AT_ONCE])
    if not runs:
        return 0
    lineage.write(
        [lineage.of_run(run, FactKind.RELEASED, f"What it waited for has arrived: {run.waits_for}") for run in runs]
    )
    ids = [run.pk for run in runs]
    transitions.move_many(
        Run.objects.filter(pk__in=ids),
        machine=RUN,
        expected=[RunStatus.HELD],
        to=RunStatus.PENDING,
        due_at=clock.now(),
        hold_reason="",
        waits_for="",
        tries=0,
        first_failed_at=None,
    )
    hooks.runs_ended(ids, why="released", by=actors.system("engine"))
    jobs.ring("engine.work")
    return len(ids)


def main_ids(carry: Carry) -> dict[str, str]:
    """System name to the id of the run's main document there: of the step that is marked so, else of the first."""
    found: dict[str, str] = {}
    for step in main_first(carry):
        if step.status == StepStatus.DONE and step.external_id:
            found.setdefault(step.system, step.external_id)
    return found


def main_first(carry: Carry) -> list[Step]:
    """The run's steps, the one that makes the record's own document before the others."""
    specs = carry.flow.spec.steps
    return sorted(carry.steps, key=lambda step: step.undoes is not None or not specs[step.index].main)


def _row(carry: Carry) -> tuple[Any, ...]:
    run, spec, now = carry.run, carry.mapping.spec, clock.now()
    return (
        spec.object, run.canonical_key, run.flow, carry.contract.spec.system, run.sequence, run.event_id, run.pk, carry.document, run.amount, run.currency,
        _date(carry.business_date), main_ids(carry), now, now,
    )  # fmt: skip


def _answers(carry: Carry) -> list[str]:
    entity, own = carry.mapping.spec.object, (carry.contract.spec.system, carry.run.canonical_key)
    names = [(system, name) for system, name in [*carry.identifiers, own] if name]
    return [
        crosswalk.waits_for(entity, system, name, target=target)
        for system, name in names
        for target in ("", *main_ids(carry))
    ]


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
