"""What pages and the API read of tickets and approvals, in a known number of queries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet, Sum
from django.utils import timezone

from exceptions.enums import LIVE, ApprovalStatus, Resolution, View
from exceptions.filters import BY_CLOCK, live, view_condition
from exceptions.models import Approval, Ticket, TicketEntry
from meshline.kernel.errors import Missing
from ownership.models import User
from syncflows.engine.models import LineageFact, Step

SIMILAR_SHOWN = 5
SIMILAR_COUNTED = 1000
SIMILAR_WITHIN = timedelta(days=90)


@dataclass(frozen=True)
class QueueCount:
    """Live tickets of one team's queue; `amounts` at risk per currency."""

    name: str
    title: str
    live: int
    unassigned: int
    breaching: int
    amounts: dict[str, Decimal]


@dataclass(frozen=True)
class Similar:
    """Tickets of the same class, reason and flow in the last 90 days: the newest, and how many ended how."""

    newest: list[Ticket]
    endings: dict[str, int]
    still_open: int


@dataclass(frozen=True)
class TicketDetail:
    """All a ticket's page shows. `lineage` of its run or event, `steps` with their attempts, `approvals` newest first."""

    ticket: Ticket
    entries: list[TicketEntry]
    approvals: list[Approval]
    lineage: list[LineageFact]
    steps: list[Step]
    similar: Similar


def tickets() -> QuerySet[Ticket]:
    """With what a row of the queue shows; without the snapshot, which no list needs."""
    return Ticket.objects.select_related("queue", "owner", "run", "event").defer(
        "context", "run__canonical", "run__payload", "event__payload", "event__raw"
    )


def approvals() -> QuerySet[Approval]:
    """With what a card of the approvals page shows."""
    return Approval.objects.select_related("team", "decided_by", "ticket", "run").defer(
        "ticket__context", "run__canonical", "run__payload"
    )


def view_counts(user: Any) -> dict[str, int]:
    """How many tickets each standing view holds for this person (`all` left out: it is only asked for by opening it). One query."""
    views = [view for view in View if view != View.ALL]
    counts = {view.value: Count("pk", filter=view_condition(view, user=user)) for view in views}
    return Ticket.objects.filter(live()).aggregate(**counts)


def queue_counts() -> list[QueueCount]:
    """Live tickets by queue, by title. One query."""
    breaching = view_condition(View.BREACHING, user=None)
    rows = (
        Ticket.objects.filter(live())
        .values("queue__name", "queue__title", "currency")
        .order_by("queue__title", "currency")
    )
    counted = rows.annotate(
        live=Count("pk"),
        unassigned=Count("pk", filter=Q(owner=None)),
        late=Count("pk", filter=breaching),
        total=Sum("amount"),
    )
    queues: dict[str, QueueCount] = {}
    for row in counted:
        old = queues.get(row["queue__name"]) or QueueCount(row["queue__name"], row["queue__title"], 0, 0, 0, {})
        amounts = {**old.amounts, row["currency"]: row["total"]} if row["total"] else old.amounts
        queues[old.name] = QueueCount(
            old.name,
            old.title,
            old.live + row["live"],
            old.unassigned + row["unassigned"],
            old.breaching + row["late"],
            amounts,
        )
    return list(queues.values())


def ticket(public_id: str) -> Ticket:
    """One ticket with its snapshot, run and event. Raises Missing."""
    rows = Ticket.objects.select_related(
        "queue__on_call", "owner", "run__event", "run__flow_version__definition", "event"
    )
    found = rows.filter(public_id=public_id).first()
    if found is None:
        raise Missing(f"There is no ticket {public_id}. It may be mistyped; search for its record instead.")
    return found


def approval(public_id: str) -> Approval:
    """One approval with ticket, run and team. Raises Missing."""
    found = (
        Approval.objects.select_related("ticket__queue", "ticket__owner", "run__event", "team", "decided_by")
        .filter(public_id=public_id)
        .first()
    )
    if found is None:
        raise Missing(f"There is no approval {public_id}. It may be mistyped; look in the list of approvals.")
    return found


def detail(public_id: str) -> TicketDetail:
    """Eight queries at most. Raises Missing."""
    found = ticket(public_id)
    return TicketDetail(
        found,
        list(found.entries.all()),
        list(found.approvals.select_related("team", "decided_by", "run").order_by("-pk")),
        list(_facts(found)),
        list(Step.objects.filter(run_id=found.run_id).prefetch_related(Prefetch("attempts"))) if found.run_id else [],
        similar(found),
    )


def similar(found: Ticket) -> Similar:
    """Two queries over at most the newest 1,000 of the last 90 days, however many there are."""
    since = timezone.now() - SIMILAR_WITHIN
    rows = Ticket.objects.filter(
        reason=found.reason, flow=found.flow, exception_class=found.exception_class, opened_at__gte=since
    )
    rows = rows.exclude(pk=found.pk).order_by("-opened_at")
    endings = Counter(rows.values_list("resolution", flat=True)[:SIMILAR_COUNTED])
    still_open = endings.pop("", 0)
    newest = list(rows.select_related("owner").defer("context")[:SIMILAR_SHOWN])
    return Similar(newest, {str(Resolution(name).label): number for name, number in endings.most_common()}, still_open)


def neighbours(queryset: QuerySet[Ticket], found: Ticket, *, ordering: tuple[str, ...] = BY_CLOCK) -> tuple[str, str]:
    """Public ids of the tickets before and after this one in a filtered list (empty at its ends). Two index look-ups, at any length.

    `ordering`: a field and the row number, both in the same direction, as `filters.ordering_of` gives it.
    """
    name, descending = ordering[0].removeprefix("-"), ordering[0].startswith("-")
    value = getattr(found, name)
    if value is None:
        return "", ""
    above = Q(**{f"{name}__gt": value}) | Q(**{name: value, "pk__gt": found.pk})
    below = Q(**{f"{name}__lt": value}) | Q(**{name: value, "pk__lt": found.pk})
    higher = queryset.filter(above).order_by(name, "pk").values_list("public_id", flat=True).first() or ""
    lower = queryset.filter(below).order_by(f"-{name}", "-pk").values_list("public_id", flat=True).first() or ""
    return (higher, lower) if descending else (lower, higher)


def pending_approvals_of(user: User) -> int:
    """How many wait for the teams of this person. One query."""
    return Approval.objects.filter(status=ApprovalStatus.PENDING, team__members=user).count()


def live_of_run(run_id: int) -> Ticket | None:
    """The one live ticket of a run."""
    return (
        Ticket.objects.select_related("queue", "owner")
        .filter(run_id=run_id, subject__startswith="run:", status__in=LIVE)
        .first()
    )


def live_between(first: int, past: int) -> list[str]:
    """Why events and runs of these row numbers must stay: their live tickets. Two queries."""
    live = Ticket.objects.filter(status__in=LIVE)
    numbers = live.filter(event_id__gte=first, event_id__lt=past) | live.filter(run_id__gte=first, run_id__lt=past)
    names = list(numbers.order_by("pk").values_list("public_id", flat=True)[:2])
    return [f"{numbers.count()} live tickets speak of it, {names[0]} among them."] if names else []


def _facts(found: Ticket) -> QuerySet[LineageFact]:
    """Of its run, or else of its event."""
    facts = LineageFact.objects.filter(event_id=found.event_id) if found.event_id else LineageFact.objects.none()
    return (facts.filter(run_id=found.run_id) if found.run_id else facts).order_by("pk")
