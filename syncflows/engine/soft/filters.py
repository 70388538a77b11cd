"""One FilterSet for staged documents: page, API, bulk acts and command ask the same questions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters as filters
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from meshline.kernel.filters import TimeFilter
from syncflows.engine.enums import GateState, StagedStatus, StagedVerdict
from syncflows.engine.soft.models import StagedDocument

NOT_COMPARED = "none"


class StagedFilter(filters.FilterSet):
    flow = filters.CharFilter(field_name="flow")
    system = filters.CharFilter(field_name="system")
    status = filters.ChoiceFilter(choices=StagedStatus.choices)
    batch = filters.CharFilter(field_name="batch", label="Label of the staged import")
    verdict = filters.ChoiceFilter(
        method="filter_verdict", choices=[*StagedVerdict.choices, (NOT_COMPARED, "Not compared")]
    )
    gate = filters.ChoiceFilter(field_name="gate_state", choices=GateState.choices)
    older_than_hours = filters.NumberFilter(method="filter_age", label="Staged at least so many hours ago", min_value=0)
    approved = filters.BooleanFilter(method="filter_approved", label="Whether exactly this document is approved")
    canonical_key = filters.CharFilter(field_name="canonical_key")
    reference = filters.CharFilter(field_name="reference")
    staged_after = TimeFilter(field_name="staged_at", lookup_expr="gte")
    staged_before = TimeFilter(field_name="staged_at", lookup_expr="lt")

    class Meta:
        model = StagedDocument
        fields: list[str] = []

    def filter_verdict(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(verdict="" if value == NOT_COMPARED else value)

    def filter_age(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        return queryset.filter(staged_at__lte=timezone.now() - timedelta(hours=min(float(value), 1_000_000)))

    def filter_approved(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        approved = Q(approved_fingerprint=F("fingerprint"))
        return queryset.filter(approved) if value else queryset.exclude(approved)
