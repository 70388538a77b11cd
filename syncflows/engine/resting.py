"""Bring carries to rest: run rows, lineage, tickets and what the upper apps must know, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meshline.kernel import actors, bulk_rows, clock, transitions
from syncflows import hooks
from syncflows.engine import lineage, records
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import TERMINAL, FactKind, RunStatus
from syncflows.engine.machines import RUN
from syncflows.engine.soft import ledger

ENGINE = actors.system("engine")
CARRIED = ["flow_version", "canonical", "plan_fingerprint", "amount", "currency", "customer", "updated_at"]
RESTED = [
    *CARRIED,
    "due_at",
    "hold_reason",
    "waits_for",
    "status_reason",
    "outcome",
    "tries",
    "first_failed_at",
    "deaths",
    "lease_owner",
    "lease_until",
    "ended_at",
]
FACTS = {
    RunStatus.RETRYING: FactKind.RETRY,
    RunStatus.HELD: FactKind.HELD,
    RunStatus.FAILED: FactKind.FAILED,
    RunStatus.ERRORED: FactKind.ERRORED,
    RunStatus.COMPLETED: FactKind.COMPLETED,
    RunStatus.COMPENSATED: FactKind.COMPENSATED,
}


def apply(carries: Sequence[Carry]) -> None:
    """Write every carry's facts; move those that rest. The caller holds the runs' locks and its lease."""
    resting = [carry for carry in carries if carry.rest]
    ledger.follow(resting)
    for carry in resting:
        _set(carry)
    tell(carries)
    statuses = {carry.run.pk: carry.rest.status for carry in resting if carry.rest}
    transitions.move_each([carry.run for carry in resting], machine=RUN, to=lambda run: statuses[run.pk], fields=RESTED)
    _turn_round(resting)
    # First what ended, then what failed: a run that ended without all it should have done has a new ticket, and only that.
    for status in (RunStatus.COMPLETED, RunStatus.IGNORED, RunStatus.SUPERSEDED, RunStatus.COMPENSATED):
        hooks.runs_ended([pk for pk, found in statuses.items() if found == status], why=status.value, by=ENGINE)
    hooks.failed([carry.rest.failure for carry in resting if carry.rest and carry.rest.failure])


def _turn_round(resting: Sequence[Carry]) -> None:
    """Save which runs go backwards from now on, and withdraw the records of those that are taken back."""
    turned = [carry.run for carry in resting if carry.turned]
    if turned:
        bulk_rows.update(turned, ["compensation"])
    records.withdraw([carry.run for carry in resting if carry.rest and carry.rest.status == RunStatus.COMPENSATED])


def tell(carries: Sequence[Carry]) -> None:
    """Write the facts and trace keys that the carries have gathered."""
    lineage.write([fact for carry in carries for fact in carry.facts], [key for carry in carries for key in carry.keys])
    for carry in carries:
        carry.facts.clear()
        carry.keys.clear()


def _set(carry: Carry) -> None:
    run, rest, now = carry.run, carry.rest, clock.now()
    assert rest is not None
    waits_on = bool(rest.waits_for) and rest.status == RunStatus.RETRYING and run.waits_for == rest.waits_for
    run.tries, run.deaths = max(0, run.tries - (not rest.counts)), 0
    if rest.status == RunStatus.RETRYING and rest.counts:
        run.first_failed_at = run.first_failed_at or now
    run.status_reason, run.waits_for, run.hold_reason = rest.reason[:2000], rest.waits_for, rest.hold_reason or ""
    run.due_at = rest.due_at or now
    run.lease_owner, run.lease_until, run.updated_at = "", None, now
    run.ended_at = now if rest.status in TERMINAL else None
    kind = FACTS.get(rest.status)
    if kind is not None and not waits_on:
        carry.say(kind, _sentence(rest), **_detail(rest))


def _sentence(rest: Rest) -> str:
    if rest.status == RunStatus.RETRYING and rest.due_at:
        return f"Will be tried again: {rest.reason}"
    return rest.reason


def _detail(rest: Rest) -> dict[str, Any]:
    """What a fact says besides its sentence: only what there is."""
    told: dict[str, Any] = {"due_at": rest.due_at, "waits_for": rest.waits_for}
    if rest.failure:
        told |= {"class": rest.failure.exception_class, "reason": rest.failure.reason, "remedy": rest.failure.remedy}
        told["batch"] = rest.failure.batch
    return {name: value for name, value in told.items() if value}
