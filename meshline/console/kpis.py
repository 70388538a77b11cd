"""The overview's figures over tickets, approvals and reconciliation. Definitions are the product's; each figure has the address of its rows.

Amounts of different currencies are never added. Figures over runs are in `syncflows.engine.figures`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone

from exceptions.enums import ApprovalStatus, View
from exceptions.filters import blocking, live, overdue
from exceptions.models import Approval, Ticket
from meshline.console import addresses
from reconciliation.models import ReconciliationRun
from syncflows.engine import partitions
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.enums import ExceptionClass

# What is worth telling somebody who comes back from lunch.
IMPORTANT = (
    FactKind.COMPLETED, FactKind.HELD, FactKind.FAILED, FactKind.ERRORED, FactKind.QUARANTINED, FactKind.DECISION, FactKind.CORRECTED,
    FactKind.REPLAYED, FactKind.RELEASED, FactKind.CANCELLED, FactKind.SUPERSEDED,
)  # fmt: skip
FACTS_SHOWN = 12
OF_RUNS = ("public_id", "flow", "status", "canonical_key", "customer", "outcome", "amount", "currency")
# The newest facts that are looked through, so that the overview costs the same at any age.
FACTS_SEARCHED = 5_000


@dataclass
class Backlog:
    """Live tickets of one class; `amounts` (currency, sum, address)."""

    klass: ExceptionClass
    url: str
    overdue_url: str
    count: int = 0
    overdue: int = 0
    amounts: list[tuple[str, Decimal, str]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return str(self.klass.label)


@dataclass(frozen=True)
class Latest:
    """A fact, with the address of its record."""

    fact: LineageFact
    title: str
    note: str
    url: str
    amount: Decimal | None = None
    currency: str = ""


def backlog() -> list[Backlog]:
    """Live tickets by class, the largest first. One query."""
    late = Count("pk", filter=overdue())
    rows = (
        Ticket.objects.filter(live()).values_list("exception_class", "currency").order_by("exception_class", "currency")
    )
    found: dict[str, Backlog] = {}
    for klass, currency, number, late_number, total in rows.annotate(
        number=Count("pk"), late=late, total=Sum("amount")
    ):
        item = found.setdefault(klass, _empty_backlog(klass))
        item.count += number
        item.overdue += late_number
        if currency and total:
            item.amounts.append((currency, total, _queue(currency=currency, **{"class": klass})))
    return sorted(found.values(), key=lambda item: (-item.count, item.klass.value))


def at_risk() -> list[tuple[str, Decimal, int, str]]:
    """Revenue at risk: per currency the sum over live tickets that hold a record back, their number and their address. One query."""
    rows = Ticket.objects.filter(live(), blocking(), amount__gt=0).exclude(currency="").values_list("currency")
    found = rows.annotate(total=Sum("amount"), number=Count("pk")).order_by("-number", "currency")
    link = {"view": View.MONEY.value, "blocking": "true"}
    return [(code, total, number, addresses.of("queue", **link, currency=code)) for code, total, number in found]


def approvals_waiting() -> tuple[int, int]:
    """How many wait, and how many of them are late. One query."""
    pending = Approval.objects.filter(status=ApprovalStatus.PENDING)
    counts: dict[str, int] = pending.aggregate(all=Count("pk"), late=Count("pk", filter=Q(due_at__lte=timezone.now())))
    return counts["all"], counts["late"]


def last_reconciliations(flows: Collection[str]) -> list[ReconciliationRun]:
    """The newest of each flow. One query."""
    rows = ReconciliationRun.objects.filter(flow__in=flows).order_by("flow", "-started_at", "-pk").distinct("flow")
    return list(rows)


def latest() -> list[Latest]:
    """The newest facts worth telling. Three queries."""
    recent = partitions.recent_from(partitions.FACTS, count=FACTS_SEARCHED)
    rows = LineageFact.objects.filter(pk__gte=recent, kind__in=IMPORTANT)
    facts = list(rows.defer("detail").order_by("-pk")[:FACTS_SHOWN])
    runs = Run.objects.filter(pk__in={fact.run_id for fact in facts if fact.run_id})
    by_id = {run.pk: run for run in runs.only(*OF_RUNS)}
    return [_latest(fact, by_id.get(fact.run_id or 0)) for fact in facts]


def _latest(fact: LineageFact, run: Run | None) -> Latest:
    if run is None:
        return Latest(fact, fact.summary, FactKind(fact.kind).label, "")
    note = " · ".join(part for part in (str(FactKind(fact.kind).label), _said(fact, run), run.flow) if part)
    return Latest(
        fact,
        _record_words(run),
        note,
        f"{addresses.of('trace')}{run.public_id}/#fact-{fact.pk}",
        run.amount,
        run.currency,
    )


def _record_words(run: Run) -> str:
    """`SO-000037 for Tamarind Beverages`: as the far side numbers it once it is there, before that by our key."""
    name = run.outcome if run.outcome and run.status == RunStatus.COMPLETED else run.canonical_key
    return f"{name or run.public_id} for {run.customer}" if run.customer else name or run.public_id


def _said(fact: LineageFact, run: Run) -> str:
    """What the fact adds to its kind; a completion only repeats the number."""
    return run.canonical_key if fact.kind == FactKind.COMPLETED else fact.summary


def _empty_backlog(klass: str) -> Backlog:
    link: dict[str, Any] = {"class": klass}
    return Backlog(ExceptionClass(klass), _queue(**link), _queue(**link, overdue="true"))


def _queue(**query: object) -> str:
    return addresses.of("queue", view=View.OPEN.value, **query)
