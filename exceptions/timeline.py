"""Lines of a ticket's timeline, and the two ways in which every service locks and ends a ticket.

Locks are always taken in this order: run, ticket, approval, audit chain. Must not check permissions: callers did.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from exceptions.enums import LIVE, EntryKind, Resolution, TicketStatus
from exceptions.machines import TICKET
from exceptions.models import Ticket, TicketEntry
from meshline.kernel import transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid, Missing
from syncflows.engine.models import Run

NOTE_LENGTH = 5000


def entry(ticket: Ticket, kind: EntryKind, text: str, *, by: Actor, **detail: Any) -> TicketEntry:
    """An unsaved line; `detail["by"]` is the actor's public id."""
    return TicketEntry(ticket=ticket, kind=kind, actor=str(by)[:200], text=text, detail={"by": by.ident, **detail})


def add(ticket: Ticket, kind: EntryKind, text: str, *, by: Actor, **detail: Any) -> TicketEntry:
    """Save one line."""
    line = entry(ticket, kind, text, by=by, **detail)
    line.save(force_insert=True)
    return line


def lock(ticket: Ticket) -> Ticket:
    """The row as it is now, locked, with its run locked before it. Raises Missing."""
    if ticket.run_id:
        Run.objects.select_for_update(of=("self",)).filter(pk=ticket.run_id).first()
    rows = Ticket.objects.select_for_update(of=("self",)).select_related("run__event", "event", "queue", "owner")
    found = rows.filter(pk=ticket.pk).first()
    if found is None:
        raise Missing(f"There is no ticket {ticket.public_id}.")
    return found


def save(ticket: Ticket, *, by: Actor, reason: str, **values: Any) -> Ticket:
    """Set fields other than the status, with the history row that says who and why."""
    for name, value in values.items():
        setattr(ticket, name, value)
    transitions.sign(ticket, by=by, reason=reason)
    ticket.save()
    return ticket


def touch(ticket: Ticket) -> dict[str, Any]:
    """The field of a person's first act on a ticket, where this is the first."""
    return {} if ticket.first_touch_at else {"first_touch_at": timezone.now()}


def end(ticket: Ticket, *, resolution: Resolution, note: str, by: Actor) -> Ticket:
    """Resolve a live ticket, with entry and audit. Raises Conflict where it is resolved already. Locks: the ticket."""
    touched = touch(ticket) if by.user_id else {}
    moved: Ticket = transitions.move(
        Ticket, ticket.pk, machine=TICKET, expected=LIVE, to=TicketStatus.RESOLVED, by=by, reason=note, resolution=resolution,
        resolved_at=timezone.now(), resolved_by=str(by)[:200], resolution_note=note, **touched,
    )  # fmt: skip
    add(moved, EntryKind.RESOLVED, f"{resolution.label}. {note}".strip(), by=by, resolution=resolution.value)
    return moved


def needed(text: str, *, what: str) -> str:
    """The text without surrounding blanks. Raises Invalid where nothing is left or it is a novel."""
    found = (text or "").strip()
    if not found:
        raise Invalid(f"{what} is missing. Write one sentence: it becomes part of the record.", code="reason_missing")
    if len(found) > NOTE_LENGTH:
        raise Invalid(f"{what} is longer than {NOTE_LENGTH} characters. Shorten it.", code="text_too_long")
    if "\0" in found:
        raise Invalid(f"{what} holds a NUL character, which cannot be stored. Remove it.", code="bad_text")
    return found


def check_live(ticket: Ticket) -> None:
    """Raises Conflict, saying how it ended."""
    if ticket.status == TicketStatus.RESOLVED:
        how = Resolution(ticket.resolution).label.lower()
        raise Conflict(
            f"{ticket.public_id} is resolved already ({how}, by {ticket.resolved_by}). Reopen it first.",
            code="ticket_resolved",
        )
