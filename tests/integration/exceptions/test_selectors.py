from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils import timezone

from exceptions import filters, selectors, tickets
from exceptions.enums import View
from exceptions.filters import ApprovalFilter, TicketFilter
from exceptions.models import Approval, Ticket
from meshline.kernel.errors import Missing
from ownership.models import User
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db


def _found(user: User | None = None, **data: Any) -> list[int]:
    request = RequestFactory().get("/")
    request.user = user or people.alice()
    form = TicketFilter(data, queryset=selectors.tickets(), request=request)
    assert form.is_valid(), form.errors
    return [ticket.pk for ticket in form.qs]


def test_ticket_filter_has_the_standing_views() -> None:
    alice = people.alice()
    mine, free, late, big, waiting, done = (make.ticket() for _ in range(6))
    Ticket.objects.update(owner=people.bob(), amount=None)
    Ticket.objects.filter(pk=mine.pk).update(owner=alice)
    Ticket.objects.filter(pk=free.pk).update(owner=None)
    Ticket.objects.filter(pk=late.pk).update(due_at=timezone.now() + timedelta(minutes=30))
    Ticket.objects.filter(pk=big.pk).update(amount=Decimal("5000"))
    tickets.wait(waiting, reason="Customer.", by=alice)
    tickets.resolve(done, resolution="duplicate", note="Twice.", by=alice)
    views = {view: _found(alice, view=view) for view in View.values if view not in (View.OPEN, View.ALL)}
    assert views == {
        "mine": [mine.pk],
        "unassigned": [free.pk],
        "breaching": [late.pk],
        "money": [big.pk],
        "waiting": [waiting.pk],
    }
    assert len(_found(alice, view="open")) == 5
    assert len(_found(alice, view="all")) == 6
    assert selectors.view_counts(alice) == {
        "mine": 1,
        "unassigned": 1,
        "breaching": 1,
        "money": 1,
        "waiting": 1,
        "open": 5,
    }


def test_ticket_filter_narrows_by_fields() -> None:
    one = make.ticket(records.run(customer="Müller GmbH", amount=Decimal("250.00")))
    make.ticket(records.run(), reason="bad_tax_code")
    for data in (
        {"reason": "unknown_product"}, {"customer": "müller"}, {"amount_min": "200"}, {"q": "müller"}, {"q": one.public_id}, {"q": one.canonical_key},
        {"q": one.correlation_id}, {"class": "data_quality", "reason": "unknown_product"}, {"queue": one.queue.name, "amount_min": "101"},
        {"opened_before": (timezone.now() + timedelta(minutes=1)).isoformat(), "customer": "gmbh"}, {"flow": records.FLOW, "amount_max": "300", "amount_min": "101"},
    ):  # fmt: skip
        assert _found(**data) == [one.pk], data
    assert _found(**{"class": "policy"}) == []


def test_ticket_filter_refuses_an_unknown_view() -> None:
    form = TicketFilter({"view": "nonsense", "class": "weather", "q": "\0"}, queryset=selectors.tickets())
    assert set(form.errors) == {"view", "class", "q"}


def test_approval_filter_shows_the_ones_of_my_teams() -> None:
    bob, sam = people.bob(), people.person("Sam Sales")
    approval = make.approval(bob, requester="Rita Rep")
    request = RequestFactory().get("/")
    for user, expected in ((bob, [approval]), (sam, [])):
        request.user = user
        assert list(ApprovalFilter({"view": "mine"}, queryset=selectors.approvals(), request=request).qs) == expected
    assert list(ApprovalFilter({"q": "rita", "view": "open"}, queryset=selectors.approvals(), request=request).qs) == [
        approval
    ]
    assert selectors.pending_approvals_of(bob) == 1


def test_queue_counts_sum_amounts_per_currency(django_assert_num_queries: Any) -> None:
    make.ticket()
    make.ticket(records.run(amount=Decimal("50.00"), currency="USD"))
    with django_assert_num_queries(1):
        [found] = selectors.queue_counts()
    assert (found.name, found.live, found.breaching) == ("triage", 2, 0)
    assert found.amounts == {"EUR": Decimal("100"), "USD": Decimal("50")}


def test_detail_reads_everything_in_eight_queries_at_most(django_assert_num_queries: Any) -> None:
    bob = people.bob()
    approval = make.approval(bob)
    for _ in range(5):
        make.ticket()
        tickets.comment(approval.ticket, text="Look.", by=people.alice())
    with django_assert_num_queries(7):  # the eighth reads the attempts of steps, and this run has none
        found = selectors.detail(approval.ticket.public_id)
        [shown] = found.approvals
        assert (shown.team.name, found.ticket.queue.title, found.ticket.run and found.ticket.run.event.source) == (
            "deal-desk",
            "Triage",
            "crm",
        )
        assert len(found.entries) == 6
        assert [fact.kind for fact in found.lineage] == ["ticket"]


def test_detail_names_what_is_missing() -> None:
    with pytest.raises(Missing, match="There is no ticket tkt_none"):
        selectors.detail("tkt_none")
    with pytest.raises(Missing, match="There is no approval apr_none"):
        selectors.approval("apr_none")


def test_similar_tells_how_the_others_ended() -> None:
    alice = people.alice()
    found = make.ticket()
    tickets.resolve(make.ticket(), resolution="duplicate", note="Twice.", by=alice)
    make.ticket()
    make.ticket(reason="bad_tax_code")
    similar = selectors.similar(found)
    assert (similar.endings, similar.still_open, len(similar.newest)) == ({"Duplicate": 1}, 1, 2)


@pytest.mark.parametrize("view", [View.OPEN, View.MONEY, View.ALL])
def test_neighbours_walk_the_list_both_ways(view: View) -> None:
    for number in range(5):
        make.ticket(records.run(amount=Decimal(100 + number % 2)))
    ordering = filters.ordering_of(view)
    rows = list(Ticket.objects.filter(filters.view_condition(view, user=None)).order_by(*ordering))
    names = [ticket.public_id for ticket in rows]
    found = [selectors.neighbours(Ticket.objects.all(), ticket, ordering=ordering) for ticket in rows]
    assert found == list(zip(["", *names[:-1]], [*names[1:], ""], strict=True))


def test_lists_take_one_query_for_any_number(django_assert_num_queries: Any) -> None:
    make.approval(people.bob())
    make.ticket()
    with django_assert_num_queries(1):
        assert [
            (ticket.queue.title, ticket.owner, ticket.run and ticket.run.public_id) for ticket in selectors.tickets()
        ]
    with django_assert_num_queries(1):
        assert [(row.team.title, row.run.flow, row.ticket.public_id) for row in selectors.approvals()]
    assert Approval.objects.count() == 1
