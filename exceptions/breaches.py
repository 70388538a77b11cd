"""Clocks that ran out: each breach is recorded once, and the ticket falls to who must be reachable."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from exceptions import timeline
from exceptions.enums import LIVE, EntryKind
from exceptions.models import Ticket
from meshline.audit import ledger
from meshline.kernel import actors
from ownership import owners
from ownership.models import User

CLOCKS = actors.system("clocks")


def watch(now: datetime) -> int:
    """Escalate every live ticket whose clock ran out by `now` (aware UTC): the queue's on-call takes it, then triage's.

    Returns how many. Idempotent: on the ticket, while its clock is the same. Locks: one ticket at a time, its run before it, as
    everybody does; a transaction over many would hold the audit chain while it waits for one that the engine has.
    """
    return sum(_watch_one(ticket, now) for ticket in _late(now))


def _late(now: datetime) -> QuerySet[Ticket]:
    rows = Ticket.objects.filter(status__in=LIVE, due_at__lte=now, breached_at=None).order_by("due_at", "pk")
    return rows.only("public_id", "run_id")


def _watch_one(ticket: Ticket, now: datetime) -> bool:
    with transaction.atomic():
        found = timeline.lock(ticket)
        late = found.status in LIVE and found.due_at <= now and found.breached_at is None
        if late:
            _escalate(found, now, owners.triage().person)
    return late


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
