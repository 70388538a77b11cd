"""One FilterSet each for reconciliation runs and discrepancies: pages and API ask the same questions."""

from __future__ import annotations

import django_filters as filters

from meshline.kernel.filters import TimeFilter
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus, ReconciliationStatus
from reconciliation.models import Discrepancy, ReconciliationRun


class ReconciliationFilter(filters.FilterSet):
    flow = filters.CharFilter(field_name="flow")
    system = filters.CharFilter(field_name="system")
    status = filters.ChoiceFilter(choices=ReconciliationStatus.choices)
    started_after = TimeFilter(field_name="started_at", lookup_expr="gte")
    started_before = TimeFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = ReconciliationRun
        fields: list[str] = []


class DiscrepancyFilter(filters.FilterSet):
    """`run`: the comparison that saw it last."""

    flow = filters.CharFilter(field_name="flow")
    system = filters.CharFilter(field_name="system")
    status = filters.ChoiceFilter(choices=DiscrepancyStatus.choices)
    kind = filters.ChoiceFilter(choices=DiscrepancyKind.choices)
    key = filters.CharFilter(field_name="key")
    run = filters.CharFilter(field_name="last_seen__public_id", label="Reconciliation run (rec_…)")

    class Meta:
        model = Discrepancy
        fields: list[str] = []
