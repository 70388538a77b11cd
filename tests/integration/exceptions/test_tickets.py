from __future__ import annotations

from datetime import timedelta

import pytest

from exceptions import tickets
from exceptions.enums import EntryKind, Resolution, TicketStatus
from exceptions.models import Ticket
from meshline.audit.models import AuditEvent
from meshline.kernel import actors
from meshline.kernel.errors import Conflict, Invalid, NotAllowed
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db


def test_assign_gives_it_to_a_person_with_entry_history_and_audit() -> None:
    alice, dana, ticket = people.alice(), people.person("Dana Dunn"), make.ticket()
    found = tickets.assign(ticket, to=dana, by=alice)
    assert (found.owner, found.first_touch_at is not None) == (dana, True)
    assert found.owned_because == "Assigned to Dana Dunn by Alice Ames."
    assert found.entries.filter(kind=EntryKind.ASSIGNED, actor="Alice Ames", detail__to=dana.public_id).count() == 1
    assert found.history.first().history_user == alice
    assert AuditEvent.objects.filter(act="ticket.assigned", object_id=found.public_id, actor=alice.public_id).exists()


def test_assign_to_the_same_person_again_writes_nothing() -> None:
    alice, ticket = people.alice(), make.ticket()
    tickets.assign(ticket, to=alice, by=alice)
    tickets.assign(ticket, to=alice, by=alice)
    assert ticket.entries.filter(kind=EntryKind.ASSIGNED).count() == 1


def test_assign_moves_it_to_a_teams_queue_and_back_to_the_pool() -> None:
    alice, ticket, desk = people.alice(), make.ticket(), people.team("desk")
    moved = tickets.assign(tickets.assign(ticket, to=alice, by=alice), to=desk, by=alice)
    assert (moved.queue, moved.owner) == (desk, None)


def test_assign_refuses_people_who_may_not_work_tickets() -> None:
    alice, charlie, ticket = people.alice(), people.charlie(), make.ticket()
    with pytest.raises(NotAllowed, match="may not work on tickets"):
        tickets.assign(ticket, to=charlie, by=alice)
    with pytest.raises(NotAllowed, match="Your role may not work on tickets"):
        tickets.assign(ticket, to=alice, by=charlie)
    _assert_untouched(ticket)


def test_acknowledge_takes_an_unowned_ticket() -> None:
    alice, ticket = people.alice(), make.ticket()
    found = tickets.acknowledge(ticket, by=alice)
    assert (found.status, found.owner) == (TicketStatus.ACKNOWLEDGED, alice)
    assert tickets.acknowledge(found, by=alice).entries.filter(kind=EntryKind.STATUS).count() == 1


def test_wait_needs_a_reason_and_keeps_the_clock() -> None:
    alice, ticket = people.alice(), make.ticket()
    with pytest.raises(Invalid, match="reason for waiting is missing"):
        tickets.wait(ticket, reason=" ", by=alice)
    found = tickets.wait(ticket, reason="Customer calls back.", by=alice)
    assert (found.status, found.due_at) == (TicketStatus.WAITING, ticket.due_at)


def test_comment_is_taken_on_resolved_tickets_too() -> None:
    alice, ticket = people.alice(), make.ticket()
    tickets.comment(ticket, text="Looking into it.", by=alice)
    tickets.resolve(ticket, resolution="written_off", note="Small.", by=alice)
    tickets.comment(ticket, text="For the record.", by=alice)
    assert [entry.text for entry in ticket.entries.filter(kind=EntryKind.COMMENT)] == [
        "Looking into it.",
        "For the record.",
    ]
    with pytest.raises(NotAllowed):
        tickets.comment(ticket, text="Me too.", by=people.charlie())
    with pytest.raises(Invalid):
        tickets.comment(ticket, text="", by=alice)


def test_resolve_closes_the_run_that_waited_for_it() -> None:
    alice, ticket = people.alice(), make.ticket()
    found = tickets.resolve(ticket, resolution="written_off", note="Test order.", by=alice)
    assert (found.status, found.resolution, found.resolved_by) == (
        TicketStatus.RESOLVED,
        Resolution.WRITTEN_OFF,
        "Alice Ames",
    )
    assert Run.objects.get(pk=ticket.run_id).status == RunStatus.CANCELLED
    assert AuditEvent.objects.filter(act="ticket.resolved", object_id=ticket.public_id, reason="Test order.").exists()


@pytest.mark.parametrize("resolution", ["approved", "accepted", "replayed", "rechecked", "recovered", "nonsense"])
def test_resolve_refuses_words_that_only_an_act_can_earn(resolution: str) -> None:
    ticket = make.ticket()
    with pytest.raises(Invalid, match="cannot be resolved by hand"):
        tickets.resolve(ticket, resolution=resolution, note="Done.", by=people.alice())
    _assert_untouched(ticket)


def test_resolve_needs_a_note_and_a_live_ticket() -> None:
    alice, ticket = people.alice(), make.ticket()
    with pytest.raises(Invalid, match="note is missing"):
        tickets.resolve(ticket, resolution="duplicate", note="", by=alice)
    _assert_untouched(ticket)
    tickets.resolve(ticket, resolution="duplicate", note="Twice.", by=alice)
    with pytest.raises(Conflict, match="resolved already"):
        tickets.resolve(ticket, resolution="duplicate", note="Twice.", by=alice)


def test_reopen_starts_a_fresh_clock() -> None:
    alice, ticket = people.alice(), make.ticket()
    tickets.resolve(ticket, resolution="duplicate", note="Twice.", by=alice)
    found = tickets.reopen(ticket, reason="It was not.", by=alice)
    assert (found.status, found.resolution, found.resolved_at, found.breached_at) == (TicketStatus.OPEN, "", None, None)
    assert found.sla_minutes == 8 * 60
    assert found.due_at - found.history.first().history_date > timedelta(hours=7)
    with pytest.raises(Conflict, match="only a resolved ticket"):
        tickets.reopen(found, reason="Again.", by=alice)


def test_reopen_is_refused_where_its_subject_has_another_live_ticket() -> None:
    alice, run = people.alice(), records.run()
    first = make.ticket(run)
    tickets.resolve(first, resolution="duplicate", note="Twice.", by=alice)
    second = make.ticket(run)
    with pytest.raises(Conflict, match=second.public_id):
        tickets.reopen(first, reason="It was not.", by=alice)
    first.refresh_from_db()
    assert first.status == TicketStatus.RESOLVED


def test_close_subjects_ends_what_a_recheck_proved() -> None:
    [ticket] = tickets.open_all([records.failure(system="erp")], subjects=["discrepancy:dis_9"])
    ended = tickets.close_subjects(
        ["discrepancy:dis_9", "discrepancy:none"],
        resolution=Resolution.RECHECKED,
        note="Equal now.",
        by=actors.system("reconciliation"),
    )
    assert [found.pk for found in ended] == [ticket.pk]
    assert ended[0].resolved_by == "Meshline (reconciliation)"
    assert ended[0].first_touch_at is None


def _assert_untouched(ticket: Ticket) -> None:
    before = (ticket.status, ticket.owner_id, ticket.resolution)
    ticket.refresh_from_db()
    assert (ticket.status, ticket.owner_id, ticket.resolution) == before
    assert ticket.entries.count() == 1
    assert not AuditEvent.objects.exists()
