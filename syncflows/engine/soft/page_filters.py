"""What the list of staged documents can be narrowed by on the page: the API's questions, with choices to pick from."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet

from syncflows.engine.enums import GateState, StagedStatus, StagedVerdict
from syncflows.engine.soft.filters import NOT_COMPARED, StagedFilter
from syncflows.engine.soft.models import StagedBatch
from syncflows.governance.enums import Kind
from syncflows.governance.models import Definition

AGES = [("1", "1 hour or older"), ("24", "1 day or older"), ("168", "1 week or older"), ("720", "30 days or older")]
IMPORTS_LISTED = 100
MORE = ("system", "gate", "older_than_hours", "approved")


class StagedPageFilter(StagedFilter):
    q = filters.CharFilter(
        method="filter_text", label="Search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Id, reference, key, customer", "size": "22", "data-key": "f", "data-key-label": "Filter"}),
    )  # fmt: skip
    flow = filters.CharFilter(field_name="flow", label="Flow", widget=forms.Select)
    batch = filters.CharFilter(field_name="batch", label="Import", widget=forms.Select)
    status = filters.ChoiceFilter(choices=StagedStatus.choices, label="Status", empty_label="Any status")
    verdict = filters.ChoiceFilter(
        method="filter_verdict", label="Compared", empty_label="Compared or not",
        choices=[*StagedVerdict.choices, (NOT_COMPARED, "Not compared")],
    )  # fmt: skip
    system = filters.CharFilter(field_name="system", label="System", widget=forms.Select)
    gate = filters.ChoiceFilter(
        field_name="gate_state", choices=GateState.choices, label="Gates", empty_label="Any gates"
    )
    older_than_hours = filters.NumberFilter(
        method="filter_age", label="Age", min_value=0, widget=forms.Select(choices=[("", "Any age"), *AGES])
    )

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__({k: v.replace("\0", "") for k, v in data.items()} if data else data, *args, **kwargs)
        asked = self.data or {}
        _choose(self.form.fields["flow"], "Any flow", _names(Kind.FLOW), asked.get("flow", ""))
        _choose(self.form.fields["system"], "Any system", _names(Kind.SYSTEM), asked.get("system", ""))
        labels = list(StagedBatch.objects.order_by("-pk").values_list("label", flat=True)[:IMPORTS_LISTED])
        _choose(self.form.fields["batch"], "Any import", labels, asked.get("batch", ""))
        shown = ("q", "status", "flow", "batch", "verdict", *MORE)
        for name in set(self.form.fields) - set(shown):
            self.form.fields[name].widget = forms.HiddenInput()
        self.form.order_fields(list(shown))

    @property
    def active(self) -> int:
        """How many filters are set."""
        return sum(bool(value) for name, value in (self.data or {}).items() if name in self.filters)

    @property
    def more_active(self) -> bool:
        return any((self.data or {}).get(name) for name in MORE)

    def filter_text(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        text = value.strip()
        names = Q(reference__istartswith=text) | Q(canonical_key__istartswith=text) | Q(customer__icontains=text)
        return queryset.filter(names | Q(public_id=text.lower()))


def _names(kind: Kind) -> list[str]:
    return list(Definition.objects.filter(kind=kind).order_by("name").values_list("name", flat=True))


def _choose(field: Any, nothing: str, names: list[str], asked: str) -> None:
    extra = [asked] if asked and asked not in names else []
    field.widget.choices = [("", nothing), *((name, name) for name in names + extra)]
