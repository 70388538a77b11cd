"""What the pages' lists can be narrowed by: the API's questions, and those that counts link to."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Exists, OuterRef, QuerySet

from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus
from reconciliation.models import Discrepancy, ReconciliationRun, Sighting


class RunPageFilter(filters.FilterSet):
    flow = filters.CharFilter(field_name="flow", label="Flow", widget=forms.TextInput(attrs={"placeholder": "Flow"}))

    class Meta:
        model = ReconciliationRun
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(_clean(data), *args, **kwargs)


class DiscrepancyPageFilter(filters.FilterSet):
    """`run` with `kind`: exactly what that comparison counted as that kind, whatever became of it since."""

    flow = filters.CharFilter(field_name="flow", label="Flow", widget=forms.TextInput(attrs={"placeholder": "Flow"}))
    kind = filters.ChoiceFilter(
        choices=DiscrepancyKind.choices, label="Kind", empty_label="Any kind", method="filter_kind"
    )
    status = filters.ChoiceFilter(choices=DiscrepancyStatus.choices, label="Status", empty_label="Any status")
    key = filters.CharFilter(
        method="filter_key", label="Key", widget=forms.TextInput(attrs={"placeholder": "Reference"})
    )
    run = filters.CharFilter(method="filter_run", widget=forms.HiddenInput)

    class Meta:
        model = Discrepancy
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(_clean(data), *args, **kwargs)

    @property
    def active(self) -> int:
        """How many filters are set."""
        return sum(bool(value) for name, value in (self.data or {}).items() if name in self.filters)

    def filter_key(self, queryset: QuerySet[Discrepancy], name: str, value: str) -> QuerySet[Discrepancy]:
        return queryset.filter(key__istartswith=value.strip())

    def filter_run(self, queryset: QuerySet[Discrepancy], name: str, value: str) -> QuerySet[Discrepancy]:
        return queryset.filter(Exists(self._sightings(value)))

    def filter_kind(self, queryset: QuerySet[Discrepancy], name: str, value: str) -> QuerySet[Discrepancy]:
        run = (self.data or {}).get("run", "")
        return queryset.filter(Exists(self._sightings(run).filter(kind=value))) if run else queryset.filter(kind=value)

    def _sightings(self, run: str) -> QuerySet[Sighting]:
        return Sighting.objects.filter(discrepancy=OuterRef("pk"), run__public_id=run)


def _clean(data: Any) -> Any:
    return {name: value.replace("\0", "") for name, value in data.items()} if data else data
