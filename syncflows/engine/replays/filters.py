"""Which runs a filter finds, to replay them: all that the list of runs asks, and class and reason of failure, source, amount, and times of the event."""

from __future__ import annotations

import django_filters as filters
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KT

from meshline.kernel.filters import TimeFilter
from syncflows.engine.enums import PARKED, FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.engine.page_filters import RunPageFilter, day_input
from syncflows.enums import ExceptionClass

FAILURES = (FactKind.FAILED, FactKind.ERRORED, FactKind.HELD)


class ReplayFilter(RunPageFilter):
    """Times are half-open: from `…_after` on, before `…_before`."""

    status = filters.ChoiceFilter(choices=RunStatus.choices, label="Status", empty_label="Any status")
    failure_class = filters.ChoiceFilter(
        method="filter_class", choices=ExceptionClass.choices, label="Class of failure", empty_label="Any class"
    )
    failure_reason = filters.CharFilter(method="filter_reason", label="Reason of failure")
    source = filters.CharFilter(field_name="event__source", label="Source system")
    amount_min = filters.NumberFilter(field_name="amount", lookup_expr="gte", label="Amount from")
    amount_max = filters.NumberFilter(field_name="amount", lookup_expr="lte", label="Amount to")
    currency = filters.CharFilter(field_name="currency", lookup_expr="iexact", label="Currency")
    received_after = TimeFilter(
        field_name="event__received_at", lookup_expr="gte", label="Received from", widget=day_input()
    )
    received_before = TimeFilter(
        field_name="event__received_at", lookup_expr="lt", label="Received before", widget=day_input()
    )
    occurred_after = TimeFilter(
        field_name="event__occurred_at", lookup_expr="gte", label="Occurred from", widget=day_input()
    )
    occurred_before = TimeFilter(
        field_name="event__occurred_at", lookup_expr="lt", label="Occurred before", widget=day_input()
    )

    class Meta:
        model = Run
        fields: list[str] = []

    def filter_class(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        return _failed_with(queryset, "class", value)

    def filter_reason(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        return _failed_with(queryset, "reason", value)


def _failed_with(queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
    """Parked runs whose newest failure is that, as their lineage says."""
    facts = LineageFact.objects.filter(run_id=OuterRef("pk"), kind__in=FAILURES).order_by("-id")
    newest = Subquery(facts.annotate(said=KT(f"detail__{name}")).values("said")[:1])
    return (
        queryset.filter(status__in=PARKED)
        .annotate(**{f"failure_{name}_found": newest})
        .filter(**{f"failure_{name}_found": value})
    )
