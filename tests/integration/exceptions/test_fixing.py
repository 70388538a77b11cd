from __future__ import annotations

from decimal import Decimal

import pytest

from exceptions import fixing, tickets
from exceptions.enums import EntryKind, Resolution, TicketStatus
from exceptions.models import Ticket
from meshline.audit.models import AuditEvent
from meshline.kernel.errors import Conflict, Invalid, NotAllowed
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db


def test_preview_shows_the_fields_that_change_and_writes_nothing() -> None:
    ticket = make.ticket()
    found = fixing.preview(ticket, {"account": "Acme Ltd", "amount": Decimal("100.00"), "note": "x"})
    assert [(change["path"], change["kind"]) for change in found.changes] == [("account", "changed"), ("note", "added")]
    assert found.warnings == []
    assert ticket.entries.count() == 1


def test_preview_warns_of_approvals_that_become_void_and_of_no_change() -> None:
    approval = make.approval(people.bob())
    found = fixing.preview(approval.ticket, {"account": "Acme", "amount": "100.00"})
    assert len(found.warnings) == 2


def test_fix_and_replay_runs_again_with_the_corrected_payload() -> None:
    alice, ticket = people.alice(), make.ticket()
    found = fixing.fix_and_replay(
        ticket, payload={"account": "Acme", "amount": "99.50"}, reason="Typo in the amount.", by=alice
    )
    run = Run.objects.select_related("event").get(pk=ticket.run_id)
    assert (run.status, run.payload, run.event.payload["amount"]) == (
        RunStatus.PENDING,
        {"account": "Acme", "amount": "99.50"},
        "100.00",
    )
    assert (found.status, found.resolution) == (TicketStatus.RESOLVED, Resolution.REPLAYED)
    [entry] = found.entries.filter(kind=EntryKind.CORRECTED)
    assert entry.detail["changes"] == [{"path": "amount", "before": "100.00", "after": "99.50", "kind": "changed"}]
    assert LineageFact.objects.filter(run_id=run.pk, kind=FactKind.CORRECTED).exists()
    audit = AuditEvent.objects.get(act="record.replayed")
    assert (audit.object_id, audit.reason, audit.detail) == (
        ticket.public_id,
        "Typo in the amount.",
        {"corrected": ["amount"]},
    )


def test_replay_leaves_the_payload() -> None:
    ticket = make.ticket()
    fixing.replay(ticket, reason="The product exists now.", by=people.alice())
    run = Run.objects.get(pk=ticket.run_id)
    assert (run.status, run.payload) == (RunStatus.PENDING, None)
    assert not ticket.entries.filter(kind=EntryKind.CORRECTED).exists()


def test_fix_and_replay_that_cannot_run_changes_nothing() -> None:
    alice, ticket = people.alice(), make.ticket()
    with pytest.raises(Invalid, match="has no step"):
        fixing.fix_and_replay(ticket, payload={"account": "B"}, reason="Try.", by=alice, from_step="nowhere")
    Run.objects.filter(pk=ticket.run_id).update(status=RunStatus.RUNNING)
    with pytest.raises(Conflict, match="running just now"):
        fixing.fix_and_replay(ticket, payload={"account": "B"}, reason="Try.", by=alice)
    _assert_untouched(ticket)


@pytest.mark.parametrize("payload", [[], "text", None, 5])
def test_fix_and_replay_refuses_what_is_no_object(payload: object) -> None:
    ticket = make.ticket()
    with pytest.raises(Invalid, match="JSON object"):
        fixing.fix_and_replay(ticket, payload=payload, reason="Try.", by=people.alice())
    _assert_untouched(ticket)


def test_fix_and_replay_is_refused_to_who_may_not() -> None:
    ticket = make.ticket()
    for outsider in (people.bob(), people.charlie()):
        with pytest.raises(NotAllowed, match="correct and replay"):
            fixing.fix_and_replay(ticket, payload={"a": "b"}, reason="Try.", by=outsider)
    _assert_untouched(ticket)


def test_replay_is_refused_where_there_is_no_record() -> None:
    [ticket] = tickets.open_all([records.failure(system="erp")])
    with pytest.raises(Invalid, match="no record to replay"):
        fixing.replay(ticket, reason="Try.", by=people.alice())


def _assert_untouched(ticket: Ticket) -> None:
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    assert ticket.entries.count() == 1
    assert not AuditEvent.objects.exists()
    assert Run.objects.get(pk=ticket.run_id).payload is None
