"""What the list of runs can be narrowed by: the API's questions, and those that figures link to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet

from ownership.models import System
from syncflows.engine import figures
from syncflows.engine.enums import RunStatus
from syncflows.engine.filters import RunFilter
from syncflows.engine.models import Run
from syncflows.enums import HoldReason
from syncflows.governance.enums import Kind
from syncflows.governance.models import Definition

# Asked for less often: behind "More" in the bar.
BEHIND_MORE = ("hold_reason", "system", "reason", "due_after", "due_before")


def day_input() -> forms.DateInput:
    widget = forms.DateInput(format="%Y-%m-%d")
    widget.input_type = "date"
    return widget


def hidden_moment(field_name: str, lookup: str) -> filters.IsoDateTimeFilter:
    """For links from figures: exact to the second, in UTC."""
    return filters.IsoDateTimeFilter(field_name=field_name, lookup_expr=lookup, widget=forms.HiddenInput)


class RunPageFilter(RunFilter):
    """`flow` takes several names, separated by commas; `untouched`: completed without a human action counted."""

    flow = filters.CharFilter(method="filter_flows", label="Flow", widget=forms.Select)
    status = filters.ChoiceFilter(choices=RunStatus.choices, label="Status", empty_label="Any status")
    customer = filters.CharFilter(
        method="filter_customer", label="Customer", widget=forms.TextInput(attrs={"placeholder": "Customer"})
    )
    key = filters.CharFilter(
        method="filter_key", label="Key", widget=forms.TextInput(attrs={"placeholder": "Key or ERP number"})
    )
    created_after = filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="gte", label="From", widget=day_input()
    )
    created_before = filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="lt", label="before", widget=day_input()
    )
    since = hidden_moment("created_at", "gte")
    ended_after = hidden_moment("ended_at", "gte")
    history = filters.BooleanFilter(method="filter_history", widget=forms.HiddenInput)
    delivered_after = filters.IsoDateTimeFilter(method="filter_delivered", widget=forms.HiddenInput)
    untouched = filters.BooleanFilter(method="filter_untouched", widget=forms.HiddenInput)
    synthetic = filters.BooleanFilter(field_name="event__synthetic", widget=forms.HiddenInput)
    imported = filters.BooleanFilter(method="filter_imported", widget=forms.HiddenInput)
    batch = filters.CharFilter(field_name="batch", widget=forms.HiddenInput)
    currency = filters.CharFilter(field_name="currency", widget=forms.HiddenInput)
    hold_reason = filters.ChoiceFilter(choices=HoldReason.choices, label="Held because", empty_label="Any hold")
    system = filters.CharFilter(method="filter_system", label="System still to write to", widget=forms.Select)
    reason = filters.CharFilter(
        field_name="status_reason",
        lookup_expr="icontains",
        label="Words of the reason",
        widget=forms.TextInput(attrs={"placeholder": "Words of the reason"}),
    )
    due_after = filters.IsoDateTimeFilter(method="filter_due", label="Next attempt from", widget=day_input())
    due_before = filters.IsoDateTimeFilter(method="filter_due", label="before", widget=day_input())
    event = filters.CharFilter(method="filter_event", widget=forms.HiddenInput)
    canonical_key = filters.CharFilter(method="filter_name", widget=forms.HiddenInput)
    correlation_id = filters.CharFilter(method="filter_name", widget=forms.HiddenInput)

    behind_more = BEHIND_MORE

    class Meta:
        model = Run
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__({k: v.replace("\0", "") for k, v in data.items()} if data else data, *args, **kwargs)
        names = list(Definition.objects.filter(kind=Kind.FLOW).order_by("name").values_list("name", flat=True))
        asked = self.data.get("flow", "") if self.data else ""
        extra = [] if asked in names or not asked else [asked]
        choices = [("", "Any flow"), *((name, name) for name in names + extra)]
        self.form.fields["flow"].widget.choices = choices
        systems = System.objects.order_by("title").values_list("name", "title")
        self.form.fields["system"].widget.choices = [("", "Any system"), *systems]

    def filter_history(self, queryset: QuerySet[Run], name: str, value: bool) -> QuerySet[Run]:
        """Whether its event was received long after it occurred: imported history, which no latency measures."""
        return queryset.exclude(figures.measured()) if value else queryset.filter(figures.measured())

    def filter_imported(self, queryset: QuerySet[Run], name: str, value: bool) -> QuerySet[Run]:
        """Whether it came with a staged import."""
        return queryset.exclude(batch="") if value else queryset.filter(batch="")

    def filter_flows(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        return queryset.filter(flow__in=value.split(","))

    def filter_customer(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        return queryset.filter(customer__icontains=value.strip())

    def filter_key(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        text = value.strip()
        return queryset.filter(Q(canonical_key__istartswith=text) | Q(outcome__istartswith=text))

    def filter_delivered(self, queryset: QuerySet[Run], name: str, value: datetime) -> QuerySet[Run]:
        """The run that each record delivered since was last applied by."""
        return queryset.filter(pk__in=figures.delivered_records(value).values("run_id"))

    def filter_untouched(self, queryset: QuerySet[Run], name: str, value: bool) -> QuerySet[Run]:
        return queryset.filter(human_actions=0) if value else queryset.filter(human_actions__gt=0)

    @property
    def more_active(self) -> bool:
        """Whether a filter behind "More" is set, so that it must be in sight."""
        return any((self.data or {}).get(name) for name in self.behind_more)

    @property
    def active(self) -> int:
        """How many filters are set."""
        return sum(bool(value) for name, value in (self.data or {}).items() if name in self.filters)
