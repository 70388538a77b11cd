"""Clocks that ran out: each breach is recorded once, and the ticket falls to who must be reachable."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from exceptions import timeline
from exceptions.enums import LIVE, EntryKind
from exceptions.models import Ticket
from meshline.audit import ledger
from meshline.kernel import actors
from ownership import owners
from ownership.models import User

CLOCKS = actors.system("clocks")
BATCH = 200


def watch(now: datetime) -> int:
    """Escalate every live ticket whose clock ran out by `now` (aware UTC): the queue's on-call takes it, then triage's.

    Returns how many. Idempotent: on the ticket, while its clock is the same. Locks: the tickets, skipping those in other hands.
    """
    done = 0
    while True:
        found = _batch(now)
        done += found
        if found < BATCH:
            return done


def _batch(now: datetime) -> int:
    with transaction.atomic():
        rows = Ticket.objects.select_for_update(of=("self",), skip_locked=True).select_related(
            "queue__on_call__delegate", "owner"
        )
        late = list(rows.filter(status__in=LIVE, due_at__lte=now, breached_at=None).order_by("due_at", "pk")[:BATCH])
        last_resort = owners.triage().person if late else None
        for ticket in late:
            _escalate(ticket, now, last_resort)
    return len(late)


def _escalate(ticket: Ticket, now: datetime, last_resort: User | None) -> None:
    to = _next_owner(ticket, last_resort)
    text = f"The clock ran out at {ticket.due_at:%Y-%m-%d %H:%M} UTC. " + (
        f"Escalated to {to}." if to else "Nobody else is on call; it stays where it is."
    )
    detail = {
        "from": str(ticket.owner) if ticket.owner else "",
        "to": str(to) if to else "",
        "due_at": ticket.due_at.isoformat(),
    }
    changed = {"owner": to, "owned_because": text[:300]} if to else {}
    timeline.save(ticket, by=CLOCKS, reason="clock ran out", breached_at=now, **changed)
    timeline.add(ticket, EntryKind.ESCALATED, text, by=CLOCKS, **detail)
    ledger.append(
        act="ticket.escalated", by=CLOCKS, object_kind="ticket", object_id=ticket.public_id, reason=text, detail=detail
    )


def _next_owner(ticket: Ticket, last_resort: User | None) -> User | None:
    """The first of queue's on-call and triage's that does not have it already."""
    candidates = (owners.present(ticket.queue.on_call), last_resort)
    return next((person for person in candidates if person and person.pk != ticket.owner_id), None)
