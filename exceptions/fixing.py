"""Correct a record and let it run again: show the field diff first, then replay with the reason in lineage, timeline and audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from exceptions import asking, permissions, timeline
from exceptions.enums import ApprovalStatus, EntryKind, Resolution
from exceptions.models import Ticket
from meshline.audit import ledger
from meshline.kernel import actors, jsontext
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Invalid
from ownership.models import User
from syncflows.engine import ordering, quarantine, runs
from syncflows.engine.differences import Change, payload_diff

Payload = dict[str, Any]


@dataclass(frozen=True)
class Preview:
    """`changes` as `payload_diff` lists them; `warnings` what to think of before replaying."""

    before: Any
    after: Payload
    changes: list[Change]
    warnings: list[str]


def current_payload(ticket: Ticket) -> Any:
    """What an editor starts from: the run's payload as last corrected, or the event's as it arrived (None: it could not be read)."""
    if ticket.run is not None:
        return ticket.run.current_payload
    return ticket.event.payload if ticket.event is not None else None


def preview(ticket: Ticket, payload: Any) -> Preview:
    """The field diff, and what it would undo. Writes nothing. Raises Invalid where the payload is not an object."""
    before, after = current_payload(ticket), _object(payload)
    changes = payload_diff(before, after)
    return Preview(before, after, changes, _warnings(ticket, changes))


def fix_and_replay(ticket: Ticket, *, payload: Any, reason: str, by: User, from_step: str | None = None) -> Ticket:
    """Replay with this payload; the ticket is resolved, what was asked about the old one is void, and a new failure opens a new ticket.

    Raises NotAllowed, Conflict (running, or newer data was applied), Invalid (no reason, not an object). Locks: run, ticket.
    """
    return _again(ticket, payload=_object(payload), reason=reason, by=by, from_step=from_step)


def replay(ticket: Ticket, *, reason: str, by: User, from_step: str | None = None) -> Ticket:
    """Replay unchanged: what was wrong was elsewhere. Raises and locks as `fix_and_replay`."""
    return _again(ticket, payload=None, reason=reason, by=by, from_step=from_step)


def _again(ticket: Ticket, *, payload: Payload | None, reason: str, by: User, from_step: str | None) -> Ticket:
    actor, why = actors.of(by), timeline.needed(reason, what="The reason")
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_fix(by, ticket)
        changes = payload_diff(current_payload(ticket), payload) if payload is not None else []
        if changes:
            timeline.add(
                ticket, EntryKind.CORRECTED, f"{len(changes)} field(s) corrected: {why}", by=actor, changes=changes
            )
        if ticket.run_id:
            asking.void_of_runs([ticket.run_id], why="The record is run again.", by=actor)
        ended = timeline.end(ticket, resolution=Resolution.REPLAYED, note=why, by=actor)
        _run(ticket, payload if changes else None, why, by=actor, from_step=from_step)
        paths = [change["path"] for change in changes]
        ledger.append(
            act="record.replayed",
            by=actor,
            object_kind="ticket",
            object_id=ticket.public_id,
            reason=why,
            detail={"corrected": paths},
        )
    return ended


def _run(ticket: Ticket, payload: Payload | None, why: str, *, by: Actor, from_step: str | None) -> None:
    if ticket.run_id:
        runs.replay(ticket.run_id, by=by, reason=why, payload=payload, from_step=from_step)
        return
    if from_step:
        raise Invalid(
            f"{ticket.public_id} is about an event that has no run, so there is no step to start from. Leave the step out.",
            code="unknown_step",
        )
    assert ticket.event_id is not None
    new = quarantine.release(event_id=ticket.event_id, payload=payload, by=by, reason=why)
    timeline.add(ticket, EntryKind.STATUS, f"Released as {new.public_id}", by=by, event=new.public_id)


def _object(payload: Any) -> Payload:
    """As it will be stored: Decimals as exact text. Raises Invalid."""
    if not isinstance(payload, dict):
        raise Invalid(
            'A payload is a JSON object, such as {"amount": "10.50"}. Send one.', code="payload_not_an_object"
        )
    return dict(jsontext.parse(jsontext.dumps(jsontext.storable(payload))))


def _warnings(ticket: Ticket, changes: list[Change]) -> list[str]:
    found = [] if changes else ["Nothing is changed: it would run again as it is."]
    if ticket.run is None:
        return found
    open_approvals = ticket.run.approvals.filter(status=ApprovalStatus.PENDING).count()
    if open_approvals:
        found.append(
            f"{open_approvals} open approval(s) become void and are asked anew if the policy still wants them."
        )
    newer = ordering.newer_run(ticket.run)
    if newer is not None:
        found.append(f"{newer.public_id} carries newer data of this record; replaying this one will be refused.")
    return found
