"""One FilterSet each for events and runs: pages and API ask the same questions."""

from __future__ import annotations

from datetime import datetime

import django_filters as filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from meshline.kernel.filters import TimeFilter
from syncflows.engine.enums import DUE, SETTLED, TERMINAL, EventStatus, RunStatus
from syncflows.engine.limits.waking import waits_for, waits_for_turn
from syncflows.engine.models import Event, EventKey, Run, Step
from syncflows.engine.selectors import named
from syncflows.enums import HoldReason


class EventFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=EventStatus.choices)
    source = filters.CharFilter(field_name="source", label="System that sent it")
    source_event_id = filters.CharFilter(method="filter_source_event_id", label="The source's id of it")
    type = filters.CharFilter(field_name="type")
    canonical_key = filters.CharFilter(method="filter_name")
    correlation_id = filters.CharFilter(method="filter_name")
    received_after = TimeFilter(field_name="received_at", lookup_expr="gte")
    received_before = TimeFilter(field_name="received_at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: list[str] = []

    def filter_source_event_id(self, queryset: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        return queryset.filter(pk__in=EventKey.objects.filter(source_event_id=value).values("event_id"))

    def filter_name(self, queryset: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        return queryset.filter(pk__in=named(value, name))


class RunFilter(filters.FilterSet):
    flow = filters.CharFilter(field_name="flow")
    status = filters.ChoiceFilter(choices=RunStatus.choices)
    hold_reason = filters.ChoiceFilter(choices=HoldReason.choices)
    system = filters.CharFilter(method="filter_system", label="System that it waits for or has still to write to")
    reason = filters.CharFilter(field_name="status_reason", lookup_expr="icontains", label="Words of the reason")
    due_after = TimeFilter(method="filter_due", label="Next attempt from")
    due_before = TimeFilter(method="filter_due", label="Next attempt before")
    event = filters.CharFilter(method="filter_event", label="Event (evt_…)")
    canonical_key = filters.CharFilter(method="filter_name")
    correlation_id = filters.CharFilter(method="filter_name")
    created_after = TimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = TimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Run
        fields: list[str] = []

    def filter_event(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        return queryset.filter(event_id__in=Event.objects.filter(public_id=value).values("pk"))

    def filter_name(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        """By the names of its event: runs have no index of their own for them, which each change of a run's status would pay for."""
        return queryset.filter(event_id__in=named(value, name))

    def filter_system(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        """Runs that have not ended, and wait for it or have a step to do there."""
        system = value.strip()
        undone = Step.objects.filter(run=OuterRef("pk"), system=system).exclude(status__in=SETTLED)
        waits = Q(waits_for__in=[waits_for(system), waits_for_turn(system)])
        return queryset.exclude(status__in=TERMINAL).filter(waits | Exists(undone)) if system else queryset

    def filter_due(self, queryset: QuerySet[Run], name: str, value: datetime) -> QuerySet[Run]:
        """Of those that go on by themselves."""
        lookup = "due_at__gte" if name.endswith("after") else "due_at__lt"
        return queryset.filter(status__in=DUE, **{lookup: value})
