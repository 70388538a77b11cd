from datetime import timedelta

import pytest
from django.utils import timezone

from exceptions import breaches, tickets
from exceptions.enums import EntryKind, Resolution, TicketStatus
from exceptions.models import Ticket
from exceptions.tasks import watch_clocks
from meshline.audit.models import AuditEvent
from meshline.kernel import actors
from ownership.enums import OwnerRole
from syncflows import hooks
from syncflows.enums import ExceptionClass, Severity
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db
ENGINE = actors.system("engine")


@pytest.mark.parametrize(
    ("why", "resolution"),
    [("completed", Resolution.RECOVERED), ("superseded", Resolution.SUPERSEDED), ("ignored", Resolution.RECOVERED), ("released", Resolution.RECOVERED), ("cancelled", Resolution.WRITTEN_OFF)],
)  # fmt: skip
def test_runs_ended_resolves_the_live_ticket(why: str, resolution: Resolution) -> None:
    ticket, other = make.ticket(), make.ticket()
    hooks.runs_ended([ticket.run_id or 0], why=why, by=ENGINE)
    ticket.refresh_from_db()
    other.refresh_from_db()
    assert (ticket.status, ticket.resolution, ticket.resolved_by) == (
        TicketStatus.RESOLVED,
        resolution,
        "Meshline (engine)",
    )
    assert other.status == TicketStatus.OPEN


def test_runs_ended_leaves_discrepancies_of_the_run_open() -> None:
    run = records.run()
    [ticket] = tickets.open_all([records.failure(run)], subjects=["discrepancy:dis_1"])
    hooks.runs_ended([run.pk], why="completed", by=ENGINE)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_a_system_that_is_down_has_one_ticket_until_it_is_up() -> None:
    pat = people.person("Pat Platform")
    people.team("triage", pat, on_call=pat)
    for _ in range(3):
        hooks.system_state_changed(system="erp", state="down", reason="connection refused")
    hooks.system_state_changed(system="erp", state="degraded", reason="slow")
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.exception_class, ticket.severity, ticket.times_seen) == (
        "system:erp",
        ExceptionClass.OUTAGE,
        Severity.HARD,
        3,
    )
    assert ticket.owner == pat
    hooks.system_state_changed(system="erp", state="up", reason="")
    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution) == (TicketStatus.RESOLVED, Resolution.RECOVERED)


def test_watch_escalates_a_breach_once_to_the_queues_on_call() -> None:
    alice, olga, tess = people.alice(), people.person("Olga Oncall"), people.person("Tess Triage")
    people.team("triage", tess, on_call=tess)
    people.owner(records.FLOW, OwnerRole.SOURCE, person=alice, team=people.team("crm-team", alice, on_call=olga))
    ticket = make.ticket()
    late = ticket.due_at + timedelta(seconds=1)
    assert breaches.watch(ticket.due_at - timedelta(seconds=1)) == 0
    assert [breaches.watch(late), breaches.watch(late)] == [1, 0]
    ticket.refresh_from_db()
    assert (ticket.owner, ticket.breached_at) == (olga, late)
    [entry] = ticket.entries.filter(kind=EntryKind.ESCALATED)
    assert (entry.detail["from"], entry.detail["to"]) == ("Alice Ames", "Olga Oncall")
    assert AuditEvent.objects.filter(act="ticket.escalated", object_id=ticket.public_id).count() == 1


def test_watch_falls_to_triage_where_the_queue_has_nobody_else() -> None:
    olga, tess = people.person("Olga Oncall"), people.person("Tess Triage")
    people.team("triage", tess, on_call=tess)
    people.owner(records.FLOW, OwnerRole.SOURCE, person=olga, team=people.team("crm-team", olga, on_call=olga))
    ticket = make.ticket()
    breaches.watch(ticket.due_at)
    ticket.refresh_from_db()
    assert ticket.owner == tess


def test_watch_leaves_resolved_tickets_alone() -> None:
    ticket = make.ticket()
    tickets.resolve(ticket, resolution="duplicate", note="Twice.", by=people.alice())
    assert breaches.watch(ticket.due_at + timedelta(days=9)) == 0


def test_watch_clocks_looks_at_the_time_that_is() -> None:
    ticket = make.ticket()
    Ticket.objects.filter(pk=ticket.pk).update(due_at=timezone.now() - timedelta(minutes=1))
    watch_clocks()
    ticket.refresh_from_db()
    assert ticket.breached_at is not None
