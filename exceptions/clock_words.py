"""The reading of a ticket's or approval's clock, and the sentence that says which clock it is. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from exceptions.enums import TicketStatus
from exceptions.models import Approval, Ticket
from meshline.kernel.clock_readings import ClockReading, read_clock
from meshline.kernel.formatting import duration_text

SHORTEST_S = 60
MINUTE_S = 60


def of_ticket(ticket: Ticket, *, now: datetime) -> ClockReading:
    """Live: what is left until `due_at`. Resolved: whether it was in time."""
    resolved = ticket.status == TicketStatus.RESOLVED
    return _reading(
        timedelta(seconds=ticket.sla_minutes * MINUTE_S),
        ticket.due_at,
        (ticket.resolved_at if resolved else None) or now,
        met=resolved,
    )


def of_approval(approval: Approval, *, now: datetime) -> ClockReading:
    decided = approval.decided_at
    return _reading(approval.due_at - approval.asked_at, approval.due_at, decided or now, met=decided is not None)


def why(ticket: Ticket) -> str:
    """Which clock: how long it is, and what waiting does to it."""
    span = duration_text(ticket.sla_minutes * MINUTE_S)
    waiting = "; it runs on while the ticket waits" if ticket.status == TicketStatus.WAITING else ""
    return f"{span} for a {ticket.get_severity_display().lower()} failure, wall-clock time{waiting}"


def _reading(span: timedelta, due_at: datetime, at: datetime, *, met: bool) -> ClockReading:
    target_s = max(SHORTEST_S, int(span.total_seconds()))
    left_s = int((due_at - at).total_seconds())
    return read_clock(target_s=target_s, used_s=target_s - left_s, met=met)
