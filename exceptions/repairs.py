"""Half a record: have what was written taken back, or accept it as it stands. A replay from the step that is missing is `fixing`."""

from __future__ import annotations

from django.db import transaction

from exceptions import asking, permissions, timeline
from exceptions.enums import EntryKind, Resolution
from exceptions.models import Ticket
from meshline.audit import ledger
from meshline.kernel import actors
from ownership.models import User
from syncflows.engine import repair, runs, taking_back, undos
from syncflows.engine.models import Step
from syncflows.governance import catalog


def take_back(ticket: Ticket, *, reason: str, by: User) -> Ticket:
    """Begin, or go on with, the compensation of its run. The ticket stays until that has ended, and ends with it.

    Raises NotAllowed, Conflict (resolved, under way, nothing written, newer data), Invalid (no reason). Locks: run, ticket.
    """
    actor, why = actors.of(by), timeline.needed(reason, what="The reason")
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_take_back(by, ticket)
        assert ticket.run_id is not None
        asking.void_of_runs([ticket.run_id], why="What was written is taken back.", by=actor)
        taking_back.ask(ticket.run_id, by=actor, reason=why)
        timeline.save(ticket, by=actor, reason="taken back", **timeline.touch(ticket))
        timeline.add(ticket, EntryKind.STATUS, f"What was written is being taken back: {why}", by=actor)
    return ticket


def keep(ticket: Ticket, *, reason: str, by: User) -> Ticket:
    """Accept half a record as it stands: the run is closed, what was written stays. Raises as `take_back`. Locks: run, ticket."""
    actor, why = actors.of(by), timeline.needed(reason, what="The reason")
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_keep(by, ticket)
        assert ticket.run is not None
        asking.void_of_runs([ticket.run.pk], why="The record is accepted as it stands.", by=actor)
        runs.cancel(ticket.run.pk, by=actor, reason=f"Accepted as it stands: {why}")
        ended = timeline.end(ticket, resolution=Resolution.ACCEPTED, note=why, by=actor)
        stays = [
            f"{step.name} {step.external_id}" for step in undos.forward(ticket.run.steps.all()) if step.external_id
        ]
        ledger.append(
            act="record.kept_half_done", by=actor, object_kind="ticket", object_id=ticket.public_id, reason=why, detail={"stays": stays}
        )  # fmt: skip
    return ended


def plan(ticket: Ticket, steps: list[Step]) -> repair.Plan | None:
    """The repair plan of its run as it is now; None where nothing is half done."""
    if ticket.run is None or not repair.is_half_done(ticket.run, steps):
        return None
    return repair.of_run(ticket.run, steps, catalog.current())
