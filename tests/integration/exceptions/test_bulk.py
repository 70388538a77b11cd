from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exceptions import bulk, tickets
from exceptions.bulk import Options
from exceptions.enums import ApprovalStatus, BulkAction, TicketStatus
from exceptions.models import Approval, Ticket
from meshline.kernel.errors import Invalid
from ownership.models import User
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from syncflows.enums import HoldReason
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db


def _asked(number: int, *members: User, requester: str = "") -> list[Run]:
    team = make.team_of(*members)
    found = [records.held() for _ in range(number)]
    tickets.open_all([records.asked(run, team=team.name, requester=requester) for run in found])
    return found


def test_preview_counts_amounts_and_says_who_would_be_refused() -> None:
    bob = people.bob()
    _asked(3, bob)
    _asked(2, bob, requester=bob.email)
    found = bulk.preview(Approval.objects.all(), BulkAction.GRANT, by=bob)
    assert (found.total, found.allowed, found.refused) == (5, 3, 2)
    assert found.amounts == {"EUR": Decimal("300")}
    [(sentence, count)] = found.refusals.items()
    assert count == 2
    assert "which is you" in sentence
    assert set(Approval.objects.values_list("status", flat=True)) == {ApprovalStatus.PENDING}


def test_preview_takes_the_same_number_of_queries_for_any_number() -> None:
    bob = people.bob()
    _asked(2, bob)
    with CaptureQueriesContext(connection) as few:
        bulk.preview(Approval.objects.all(), BulkAction.GRANT, by=bob)
    _asked(40, bob)
    with CaptureQueriesContext(connection) as many:
        bulk.preview(Approval.objects.all(), BulkAction.GRANT, by=bob)
    assert len(few) == len(many) <= 6


def test_perform_decides_what_it_may_and_reports_the_rest() -> None:
    bob = people.bob()
    granted, own = _asked(3, bob), _asked(1, bob, requester=bob.username)
    told: list[tuple[int, int]] = []
    results = bulk.perform(
        Approval.objects.all(),
        BulkAction.GRANT,
        by=bob,
        reason="Quarter end.",
        progress=lambda done, of: told.append((done, of)),
    )
    assert [result.done for result in results] == [True, True, True, False]
    assert results[-1].code == "four_eyes"
    assert told[-1] == (4, 4)
    assert set(Run.objects.filter(pk__in=[run.pk for run in granted]).values_list("status", flat=True)) == {
        RunStatus.PENDING
    }
    assert Run.objects.get(pk=own[0].pk).status == RunStatus.HELD


def test_perform_grants_within_a_bounded_number_of_queries_each() -> None:
    """1,500 grants in a minute leave 40 ms each; at this many small queries they take about a third of it."""
    bob = people.bob()
    _asked(10, bob)
    with CaptureQueriesContext(connection) as captured:
        bulk.perform(Approval.objects.all(), BulkAction.GRANT, by=bob, reason="Yes.")
    assert len(captured) <= 10 * 50 + 8


def test_perform_accepts_held_prices() -> None:
    alice = people.alice()
    tickets.open_all([records.held_price(records.held(HoldReason.ACCEPTANCE)) for _ in range(3)])
    results = bulk.perform(
        Ticket.objects.filter(reason="price_above_list"), BulkAction.ACCEPT, by=alice, reason="Agreed by phone."
    )
    assert [result.problem for result in results] == ["", "", ""]
    assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.PENDING}


def test_perform_assigns_resolves_and_replays() -> None:
    alice, dana = people.alice(), people.person("Dana Dunn")
    found = [make.ticket() for _ in range(3)]
    assert all(
        result.done
        for result in bulk.perform(
            Ticket.objects.all(), BulkAction.ASSIGN, by=alice, reason="", options=Options(to=dana)
        )
    )
    assert set(Ticket.objects.values_list("owner", flat=True)) == {dana.pk}
    one, other = Ticket.objects.filter(pk=found[0].pk), Ticket.objects.exclude(pk=found[0].pk)
    assert bulk.perform(one, BulkAction.RESOLVE, by=alice, reason="Small.", options=Options(resolution="written_off"))[
        0
    ].done
    assert all(result.done for result in bulk.perform(other, BulkAction.REPLAY, by=alice, reason="Loaded."))
    assert set(Ticket.objects.values_list("status", "resolution")) == {
        (TicketStatus.RESOLVED, "written_off"),
        (TicketStatus.RESOLVED, "replayed"),
    }


def test_perform_needs_a_reason_and_the_right_records() -> None:
    bob = people.bob()
    _asked(1, bob)
    with pytest.raises(Invalid, match="reason is missing"):
        bulk.perform(Approval.objects.all(), BulkAction.GRANT, by=bob, reason=" ")
    with pytest.raises(Invalid, match="is for approvals"):
        bulk.perform(Ticket.objects.all(), BulkAction.GRANT, by=bob, reason="Yes.")
    assert Approval.objects.get().status == ApprovalStatus.PENDING
