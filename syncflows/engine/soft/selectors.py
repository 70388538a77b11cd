"""Reads of the soft ledger for pages and API."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, QuerySet, Sum

from syncflows.engine.enums import StagedStatus
from syncflows.engine.models import LineageFact
from syncflows.engine.soft.models import StagedDocument

SUMMED_MAX = 100_000
FACTS_SHOWN = 100


@dataclass(frozen=True)
class Summary:
    """Of a filtered list: `amounts` by currency; `capped` where only the first 100,000 were counted."""

    total: int
    amounts: list[tuple[str, Decimal]]
    capped: bool


def documents() -> QuerySet[StagedDocument]:
    return StagedDocument.objects.select_related("run", "approved_by")


def summary(rows: QuerySet[StagedDocument]) -> Summary:
    """One query."""
    some = StagedDocument.objects.filter(pk__in=rows.order_by().values("pk")[: SUMMED_MAX + 1])
    found = list(some.values_list("currency").annotate(number=Count("pk"), total=Sum("amount")).order_by("currency"))
    total = sum(number for _, number, _ in found)
    amounts = [(currency, value) for currency, _, value in found if currency and value is not None]
    return Summary(min(total, SUMMED_MAX), amounts, total > SUMMED_MAX)


def waiting_count() -> int:
    """For the navigation: staged documents, up to a thousand."""
    return StagedDocument.objects.filter(status=StagedStatus.STAGED)[:1000].count()


def facts(row: StagedDocument) -> list[LineageFact]:
    """What lineage tells of this document, in order."""
    rows = LineageFact.objects.filter(run_id=row.run_id, detail__staged=row.public_id).order_by("pk")
    return list(rows[:FACTS_SHOWN])
