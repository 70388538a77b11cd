"""One FilterSet each for events and runs: pages and API ask the same questions."""

from __future__ import annotations

import django_filters as filters

from meshline.kernel.filters import TimeFilter
from syncflows.engine.enums import EventStatus, RunStatus
from syncflows.engine.models import Event, Run
from syncflows.enums import HoldReason


class EventFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=EventStatus.choices)
    source = filters.CharFilter(field_name="source", label="System that sent it")
    source_event_id = filters.CharFilter(field_name="source_event_id")
    type = filters.CharFilter(field_name="type")
    canonical_key = filters.CharFilter(field_name="canonical_key")
    correlation_id = filters.CharFilter(field_name="correlation_id")
    received_after = TimeFilter(field_name="received_at", lookup_expr="gte")
    received_before = TimeFilter(field_name="received_at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: list[str] = []


class RunFilter(filters.FilterSet):
    flow = filters.CharFilter(field_name="flow")
    status = filters.ChoiceFilter(choices=RunStatus.choices)
    hold_reason = filters.ChoiceFilter(choices=HoldReason.choices)
    event = filters.CharFilter(field_name="event__public_id", label="Event (evt_…)")
    canonical_key = filters.CharFilter(field_name="canonical_key")
    correlation_id = filters.CharFilter(field_name="correlation_id")
    created_after = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = TimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Run
        fields: list[str] = []
