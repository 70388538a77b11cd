"""Failures become tickets, in the transaction that records the failure, in a constant number of queries for any number of them.

What the machine opens is told by history, timeline and lineage; the audit chain is for acts of people, and one lock for the whole
ledger must not be held by an engine that fails a thousand records.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from simple_history.utils import bulk_update_with_history

from exceptions import asking, clocks, drafts, timeline
from exceptions.drafts import Draft
from exceptions.enums import LIVE, EntryKind
from exceptions.models import Ticket, TicketEntry
from meshline.kernel import actors
from meshline.kernel.errors import Conflict
from syncflows.engine import lineage
from syncflows.engine.enums import FactKind
from syncflows.hooks import Failure

ENGINE = actors.system("engine")
ROUNDS = 5  # a live ticket may be resolved between our insert and our look at it; each round settles at least one side
TOLD = (
    "exception_class",
    "reason",
    "message",
    "remedy",
    "flow",
    "step",
    "system",
    "amount",
    "currency",
    "customer",
    "canonical_key",
    "context",
)
PLACED = ("severity", "queue", "owner", "owned_because")
SEEN = ("times_seen", "last_seen_at", "due_at", "sla_minutes")


def open_all(failures: Sequence[Failure], *, subjects: Sequence[str] | None = None) -> list[Ticket]:
    """Open a ticket for each failure, or tell the live ticket of its subject that it happened again. Approvals asked are opened with them.

    `subjects` names what each failure speaks of, where it is not its run, event or system (`discrepancy:…`). Returns the tickets by subject.
    Raises Invalid where a failure speaks of nothing. Idempotent: on the subject, while its ticket lives.
    Locks: the live tickets found. Runs in the caller's transaction.
    """
    if not failures:
        return []
    with transaction.atomic():
        now = timezone.now()
        waiting = drafts.make(failures, subjects=subjects, now=now)
        settled: list[Draft] = []
        lines: list[TicketEntry] = []
        for _ in range(ROUNDS):
            opened, rest = _insert(waiting)
            again, waiting = _recur(rest, now)
            lines += [_opened(draft) for draft in opened] + [_recurred(draft) for draft in again]
            settled += opened + again
            if not waiting:
                break
        else:
            raise Conflict(
                "Tickets of the same records are being opened and resolved at this moment. Try again.",
                code="tickets_busy",
                retryable=True,
            )
        _write(settled, lines)
    return [draft.ticket for draft in settled]


def _write(settled: list[Draft], lines: list[TicketEntry]) -> None:
    TicketEntry.objects.bulk_create(lines)
    asking.ask([(draft.ticket, draft.failures) for draft in settled])
    lineage.write([_fact(line.ticket, line) for line in lines if line.ticket.event_id])


def _insert(waiting: list[Draft]) -> tuple[list[Draft], list[Draft]]:
    """Save those whose subject has no live ticket; the others come back."""
    Ticket.objects.bulk_create([draft.ticket for draft in waiting], ignore_conflicts=True)
    names = [draft.ticket.public_id for draft in waiting]
    made = dict(Ticket.objects.filter(public_id__in=names).values_list("public_id", "pk"))
    opened = [draft for draft in waiting if draft.ticket.public_id in made]
    for draft in opened:
        draft.ticket.pk = made[draft.ticket.public_id]
        draft.ticket._state.adding = False
    Ticket.history.bulk_history_create([draft.ticket for draft in opened], default_change_reason="opened")
    return opened, [draft for draft in waiting if draft.ticket.public_id not in made]


def _recur(rest: list[Draft], now: datetime) -> tuple[list[Draft], list[Draft]]:
    """Tell the live tickets; drafts whose live ticket is gone by now come back for another insert."""
    if not rest:
        return [], []
    rows = (
        Ticket.objects.select_for_update(of=("self",))
        .select_related("queue", "owner")
        .filter(subject__in=[draft.ticket.subject for draft in rest], status__in=LIVE)
    )
    live = {ticket.subject: ticket for ticket in rows.order_by("subject")}
    again: list[Draft] = []
    gone: list[Draft] = []
    for draft in rest:
        found = live.get(draft.ticket.subject)
        (again if found else gone).append(draft)
        if found:
            draft.ticket = _seen_again(found, draft, now)
    if again:
        bulk_update_with_history(
            [draft.ticket for draft in again], Ticket, [*TOLD, *PLACED, *SEEN], default_change_reason="happened again"
        )
    return again, gone


def _seen_again(live: Ticket, draft: Draft, now: datetime) -> Ticket:
    """The newest telling counts. Another kind of failure is routed anew, unless a person has the ticket in hand; a clock never runs longer."""
    new, other_kind = (
        draft.ticket,
        (live.exception_class, live.reason) != (draft.ticket.exception_class, draft.ticket.reason),
    )
    for name in TOLD:
        setattr(live, name, getattr(new, name))
    for name in PLACED if other_kind and live.first_touch_at is None else ():
        setattr(live, name, getattr(new, name))
    if other_kind and new.due_at < live.due_at:
        live.due_at, live.sla_minutes = new.due_at, clocks.minutes_between(live.opened_at, new.due_at)
    live.times_seen += len(draft.failures)
    live.last_seen_at = now
    return live


def _opened(draft: Draft) -> TicketEntry:
    ticket = draft.ticket
    return timeline.entry(ticket, EntryKind.OPENED, ticket.message, by=ENGINE, **_place(draft))


def _recurred(draft: Draft) -> TicketEntry:
    ticket = draft.ticket
    return timeline.entry(
        ticket, EntryKind.RECURRED, ticket.message, by=ENGINE, times_seen=ticket.times_seen, **_place(draft)
    )


def _place(draft: Draft) -> dict[str, Any]:
    ticket = draft.ticket
    owner = str(ticket.owner) if ticket.owner_id else ""
    return {
        "queue": ticket.queue.name,
        "owner": owner,
        "because": ticket.owned_because,
        "class": str(ticket.exception_class),
        "reason": ticket.reason,
    }


def _fact(ticket: Ticket, line: TicketEntry) -> Any:
    whose = line.detail["owner"] or f"the queue {line.detail['queue']}"
    verb = "opened for" if line.kind == EntryKind.OPENED else "seen again by"
    return lineage.fact(
        FactKind.TICKET, f"Ticket {ticket.public_id} {verb} {whose}", event_id=ticket.event_id, run_id=ticket.run_id,
        ticket=ticket.public_id, exception_class=str(ticket.exception_class), reason=ticket.reason, due_at=ticket.due_at.isoformat(),
    )  # fmt: skip
