"""The filters of the queue and the approvals page: the API's questions, with inputs that people can use."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django import forms

from exceptions.enums import LIVE, View
from exceptions.filters import ApprovalFilter, TicketFilter
from exceptions.models import Approval, Ticket
from ownership.models import Team, User
from syncflows.enums import ExceptionClass
from syncflows.governance.enums import Kind
from syncflows.governance.models import Definition

PEOPLE_LISTED = 200
REASONS_LISTED = 60
SHOWN = ("q", "class", "reason", "flow", "owner", "customer", "amount_min", "amount_max")
# Asked for less often: behind "More" in the bar.
BEHIND_MORE = ("customer", "amount_min", "amount_max")
NOT_COUNTED = ("view", "queue", "sort", "cursor")


def words(placeholder: str, **attrs: str) -> forms.TextInput:
    return forms.TextInput(attrs={"placeholder": placeholder, "autocomplete": "off", **attrs})


def search(placeholder: str, **attrs: str) -> forms.TextInput:
    widget = words(placeholder, **attrs)
    widget.input_type = "search"
    return widget


class TicketPageFilter(TicketFilter):
    """Everything that is not in the bar keeps its value as a hidden field, so that links from figures stay exact."""

    reason = filters.CharFilter(field_name="reason", label="Reason", widget=forms.Select)
    flow = filters.CharFilter(field_name="flow", label="Flow", widget=forms.Select)
    owner = filters.CharFilter(field_name="owner__username", label="Owner", widget=forms.Select)
    customer = filters.CharFilter(
        field_name="customer", lookup_expr="icontains", label="Customer", widget=words("Customer", size="12")
    )
    amount_min = filters.NumberFilter(
        field_name="amount",
        lookup_expr="gte",
        label="Amount from",
        widget=words("Amount from", inputmode="decimal", size="8"),
    )
    amount_max = filters.NumberFilter(
        field_name="amount", lookup_expr="lte", label="Amount to", widget=words("to", inputmode="decimal", size="8")
    )
    q = filters.CharFilter(
        method="filter_text",
        label="Search",
        widget=search("Id, key, words", size="16", **{"data-key": "f", "data-key-label": "Filter"}),
    )

    behind_more = BEHIND_MORE

    class Meta:
        model = Ticket
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs)
        asked = self.data or {}
        fields = self.form.fields
        fields["class"].empty_label = "Any class"
        fields["class"].choices = ExceptionClass.choices
        flows = Definition.objects.filter(kind=Kind.FLOW).order_by("name").values_list("name", flat=True)
        _choose(fields["flow"], "Any flow", [(name, name) for name in flows], asked.get("flow", ""))
        _choose(fields["owner"], "Any owner", _people(), asked.get("owner", ""))
        _choose(fields["reason"], "Any reason", _reasons(), asked.get("reason", ""))
        for name in set(fields) - set(SHOWN):
            fields[name].widget = forms.HiddenInput()
        self.form.order_fields([*SHOWN, *(name for name in fields if name not in SHOWN)])

    @property
    def active(self) -> int:
        """How many filters are set besides the view."""
        return sum(
            bool(value) for name, value in (self.data or {}).items() if name in self.filters and name not in NOT_COUNTED
        )

    @property
    def more_active(self) -> bool:
        """Whether a filter behind "More" is set, so that it must be in sight."""
        return any((self.data or {}).get(name) for name in self.behind_more)


# `class` is a keyword, so it cannot be an attribute's name.
TicketPageFilter.base_filters["class"] = TicketFilter.base_filters["class"]


class ApprovalPageFilter(ApprovalFilter):
    """As the API's."""

    team = filters.CharFilter(field_name="team__name", label="Decided by", widget=forms.Select)
    customer = filters.CharFilter(
        field_name="customer", lookup_expr="icontains", label="Customer", widget=words("Customer", size="12")
    )
    amount_min = filters.NumberFilter(
        field_name="amount",
        lookup_expr="gte",
        label="Amount from",
        widget=words("Amount from", inputmode="decimal", size="8"),
    )
    q = filters.CharFilter(
        method="filter_text",
        label="Search",
        widget=search("Id, key, requester, words", size="22", **{"data-key": "f", "data-key-label": "Filter"}),
    )

    class Meta:
        model = Approval
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(data, *args, **kwargs)
        asked = self.data or {}
        teams = Team.objects.order_by("title").values_list("name", "title")
        _choose(self.form.fields["team"], "Any team", list(teams), asked.get("team", ""))
        shown = ("q", "team", "customer", "amount_min")
        for name in set(self.form.fields) - set(shown):
            self.form.fields[name].widget = forms.HiddenInput()
        self.form.order_fields([*shown, *(name for name in self.form.fields if name not in shown)])

    @property
    def active(self) -> int:
        return sum(
            bool(value) for name, value in (self.data or {}).items() if name in self.filters and name not in NOT_COUNTED
        )


def view_of(asked: Any, *, default: str) -> str:
    """The standing view that is asked for. With another filter and no view, all open ones: a link from a figure means everybody's."""
    if asked.get("view") in View.values:
        return str(asked["view"])
    return (
        View.OPEN.value
        if any(asked.get(name) for name in asked if name not in NOT_COUNTED) or asked.get("queue")
        else default
    )


def _choose(field: Any, nothing: str, choices: list[tuple[str, str]], asked: str) -> None:
    extra = [(asked, asked)] if asked and asked not in dict(choices) else []
    field.widget.choices = [("", nothing), *choices, *extra]


def _people() -> list[tuple[str, str]]:
    people = User.objects.filter(is_active=True).order_by("first_name", "username")[:PEOPLE_LISTED]
    return [(person.username, str(person)) for person in people]


def _reasons() -> list[tuple[str, str]]:
    """Those that live tickets have."""
    rows = Ticket.objects.filter(status__in=LIVE).order_by("reason").values_list("reason", flat=True).distinct()
    return [(code, code.replace("_", " ")) for code in rows[:REASONS_LISTED]]
