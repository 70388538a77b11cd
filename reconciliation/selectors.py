"""What the pages of reconciliation show, in a known number of queries. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from exceptions.models import TicketEntry
from meshline.kernel.errors import Missing
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus
from reconciliation.models import Discrepancy, ReconciliationRun
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

OPEN = Q(status=DiscrepancyStatus.OPEN)


@dataclass(frozen=True)
class FlowState:
    """One flow that can be compared: its newest comparison (None: never made), and what is open by kind."""

    name: str
    title: str
    system: str
    window_days: int
    last: ReconciliationRun | None
    open_by_kind: dict[str, int] = field(default_factory=dict)

    @property
    def open(self) -> int:
        return sum(self.open_by_kind.values())


@dataclass(frozen=True)
class Sum:
    """Exact totals of one currency."""

    currency: str
    ours: Decimal
    theirs: Decimal

    @property
    def difference(self) -> Decimal:
        return self.theirs - self.ours


def open_count() -> int:
    """One index-only count."""
    return Discrepancy.objects.filter(OPEN).count()


def flow_states(catalog: Catalog) -> list[FlowState]:
    """Every flow with a reconcile rule, by name. Two queries."""
    flows = [found for found in catalog.all(Kind.FLOW) if found.spec.reconcile]
    newest = ReconciliationRun.objects.filter(flow=OuterRef("flow")).order_by("-started_at", "-pk").values("pk")[:1]
    names = [found.name for found in flows]
    last = {run.flow: run for run in ReconciliationRun.objects.filter(flow__in=names, pk=Subquery(newest))}
    counted: dict[str, dict[str, int]] = {}
    for flow, kind, number in (
        Discrepancy.objects.filter(OPEN, flow__in=names).values_list("flow", "kind").annotate(number=Count("pk"))
    ):
        counted.setdefault(flow, {})[kind] = number
    return [
        FlowState(
            found.name,
            found.title or found.name,
            found.spec.reconcile.system,
            found.spec.reconcile.window_days,
            last.get(found.name),
            counted.get(found.name, {}),
        )
        for found in flows
    ]


def runs() -> QuerySet[ReconciliationRun]:
    return ReconciliationRun.objects.all()


def run(public_id: str) -> ReconciliationRun:
    """Raises Missing."""
    found = ReconciliationRun.objects.filter(public_id=public_id).first()
    if found is None:
        raise Missing(f"There is no comparison {public_id}. It may be mistyped; look in the list of comparisons.")
    return found


def discrepancies() -> QuerySet[Discrepancy]:
    """For lists: without both sides."""
    return Discrepancy.objects.select_related("ticket__owner", "ticket__queue", "last_seen").defer(
        "ours", "theirs", "ticket__context"
    )


def drift_percent(found: ReconciliationRun) -> Decimal | None:
    """Discrepancies per 100 records compared; None where nothing was."""
    if not found.compared:
        return None
    differing = found.missing_in_target + found.missing_in_source + found.differs + found.duplicate
    return (Decimal(differing) * 100 / found.compared).quantize(Decimal("0.01"))


def sums(found: ReconciliationRun) -> list[Sum]:
    """Both sides' totals, by currency."""
    return [
        Sum(code, Decimal(value["ours"]), Decimal(value["theirs"]))
        for code, value in found.totals.items()
        if isinstance(value, dict)
    ]


def beside(found: ReconciliationRun) -> dict[str, int]:
    """What was seen and not judged or not told: in flight, explained, accepted; and what was resolved."""
    return {name: value for name, value in found.totals.items() if not isinstance(value, dict)}


def kind_counts(found: ReconciliationRun) -> list[dict[str, Any]]:
    return [{"kind": kind.value, "label": kind.label, "count": getattr(found, kind.value)} for kind in DiscrepancyKind]


def history(found: Discrepancy) -> list[TicketEntry]:
    """The timeline of its ticket, newest first."""
    return list(found.ticket.entries.order_by("-pk")[:100]) if found.ticket_id and found.ticket else []
