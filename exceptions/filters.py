"""One FilterSet each for tickets and approvals: the pages, the CSV and the API ask the same questions."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django.db.models import Q, QuerySet
from django.utils import timezone

from exceptions.clocks import DUE_SOON
from exceptions.enums import LIVE, ApprovalStatus, TicketStatus, View
from exceptions.models import Approval, Ticket
from meshline.kernel.filters import TimeFilter
from syncflows.enums import ExceptionClass, Severity

BY_CLOCK = ("due_at", "id")
BY_MONEY = ("-amount", "-id")
NEWEST = ("-opened_at", "-id")


def live() -> Q:
    return Q(status__in=LIVE)


def overdue() -> Q:
    """Live, and its clock has run out."""
    return live() & Q(due_at__lte=timezone.now())


def blocking() -> Q:
    """Holds a business record back: a run that waits, or an event that is quarantined."""
    return Q(subject__startswith="run:") | Q(subject__startswith="event:")


def view_condition(view: str, *, user: Any) -> Q:
    """What a standing view shows to this person."""
    conditions = {
        View.MINE: live() & Q(owner_id=getattr(user, "pk", None)),
        View.UNASSIGNED: live() & Q(owner=None),
        View.BREACHING: live() & Q(due_at__lte=timezone.now() + DUE_SOON),
        View.MONEY: live() & Q(amount__gt=0),
        View.WAITING: Q(status=TicketStatus.WAITING),
        View.OPEN: live(),
        View.ALL: Q(),
    }
    return conditions[View(view)]


def ordering_of(view: str) -> tuple[str, ...]:
    """Most urgent first; the money view by amount, the view of all by newest. Each ends with the row number, so pages never overlap."""
    return {View.MONEY: BY_MONEY, View.ALL: NEWEST}.get(View(view), BY_CLOCK) if view else BY_CLOCK


class TicketFilter(filters.FilterSet):
    """Without `view` every ticket; pages ask for `open` first. `request.user` is whose "mine" is meant."""

    view = filters.ChoiceFilter(choices=View.choices, method="filter_view", label="View")
    status = filters.ChoiceFilter(choices=TicketStatus.choices)
    reason = filters.CharFilter(field_name="reason")
    severity = filters.ChoiceFilter(choices=Severity.choices)
    queue = filters.CharFilter(field_name="queue__name", label="Queue (team name)")
    owner = filters.CharFilter(field_name="owner__username", label="Owner (username)")
    flow = filters.CharFilter(field_name="flow")
    system = filters.CharFilter(field_name="system")
    customer = filters.CharFilter(field_name="customer", lookup_expr="icontains")
    amount_min = filters.NumberFilter(field_name="amount", lookup_expr="gte")
    amount_max = filters.NumberFilter(field_name="amount", lookup_expr="lte")
    currency = filters.CharFilter(field_name="currency", lookup_expr="iexact")
    opened_after = TimeFilter(field_name="opened_at", lookup_expr="gte")
    opened_before = TimeFilter(field_name="opened_at", lookup_expr="lt")
    overdue = filters.BooleanFilter(method="filter_overdue", label="Clock has run out")
    blocking = filters.BooleanFilter(method="filter_blocking", label="Holds a record back")
    q = filters.CharFilter(method="filter_text", label="Search")

    class Meta:
        model = Ticket
        fields: list[str] = []

    def filter_view(self, queryset: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        user = getattr(self.request, "user", None)
        return queryset.filter(view_condition(value, user=user)).order_by(*ordering_of(value))

    def filter_overdue(self, queryset: QuerySet[Ticket], name: str, value: bool) -> QuerySet[Ticket]:
        return queryset.filter(overdue()) if value else queryset.exclude(overdue())

    def filter_blocking(self, queryset: QuerySet[Ticket], name: str, value: bool) -> QuerySet[Ticket]:
        return queryset.filter(blocking()) if value else queryset.exclude(blocking())

    def filter_text(self, queryset: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        """Ids from their beginning, message and customer anywhere."""
        text = value.strip()
        ids = Q(public_id__istartswith=text) | Q(canonical_key__istartswith=text) | Q(correlation_id=text.lower())
        return queryset.filter(ids | Q(message__icontains=text) | Q(customer__icontains=text))


# `class` is a keyword, so it cannot be an attribute's name.
TicketFilter.base_filters["class"] = filters.ChoiceFilter(
    field_name="exception_class", choices=ExceptionClass.choices, label="Class"
)


class ApprovalFilter(filters.FilterSet):
    """`view`: mine (pending ones of my teams), open (all pending), all."""

    view = filters.ChoiceFilter(
        choices=[(item.value, item.label) for item in (View.MINE, View.OPEN, View.ALL)],
        method="filter_view",
        label="View",
    )
    status = filters.ChoiceFilter(choices=ApprovalStatus.choices)
    policy = filters.CharFilter(field_name="policy")
    rule = filters.CharFilter(field_name="rule")
    team = filters.CharFilter(field_name="team__name")
    flow = filters.CharFilter(field_name="run__flow")
    requester = filters.CharFilter(field_name="requester", lookup_expr="icontains")
    customer = filters.CharFilter(field_name="customer", lookup_expr="icontains")
    amount_min = filters.NumberFilter(field_name="amount", lookup_expr="gte")
    amount_max = filters.NumberFilter(field_name="amount", lookup_expr="lte")
    asked_after = TimeFilter(field_name="asked_at", lookup_expr="gte")
    asked_before = TimeFilter(field_name="asked_at", lookup_expr="lt")
    q = filters.CharFilter(method="filter_text", label="Search")

    class Meta:
        model = Approval
        fields: list[str] = []

    def filter_view(self, queryset: QuerySet[Approval], name: str, value: str) -> QuerySet[Approval]:
        if value == View.ALL:
            return queryset.order_by("-asked_at", "-id")
        pending = queryset.filter(status=ApprovalStatus.PENDING).order_by("due_at", "id")
        user = getattr(self.request, "user", None)
        return pending.filter(team__members=getattr(user, "pk", None)) if value == View.MINE else pending

    def filter_text(self, queryset: QuerySet[Approval], name: str, value: str) -> QuerySet[Approval]:
        text = value.strip()
        ids = (
            Q(public_id__istartswith=text)
            | Q(run__canonical_key__istartswith=text)
            | Q(run__correlation_id=text.lower())
        )
        return queryset.filter(
            ids | Q(message__icontains=text) | Q(customer__icontains=text) | Q(requester__icontains=text)
        )
