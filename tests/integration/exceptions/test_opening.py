from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exceptions import tickets
from exceptions.enums import LIVE, EntryKind, TicketStatus
from exceptions.models import Approval, Ticket, TicketEntry
from meshline.audit.models import AuditEvent
from meshline.kernel.errors import Invalid
from ownership.enums import OwnerRole
from syncflows import hooks
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.enums import ExceptionClass, Severity
from syncflows.governance.enums import Kind
from syncflows.governance.models import Definition, DefinitionVersion
from tests.factories import people, records

pytestmark = pytest.mark.django_db


def _route(*rules: dict[str, Any], name: str = "exceptions") -> None:
    definition = Definition.objects.create(kind=Kind.ROUTE, name=name)
    document = {
        "apiVersion": "meshline/v1",
        "kind": "Route",
        "metadata": {"name": name},
        "spec": {"rules": list(rules)},
    }
    definition.active = DefinitionVersion.objects.create(
        definition=definition, number=1, document=document, fingerprint="0" * 64, created_by="Alice"
    )
    definition.save()


def test_open_all_opens_a_ticket_with_everything_a_person_needs() -> None:
    alice = people.alice()
    people.owner(records.FLOW, OwnerRole.SOURCE, person=alice, team=people.team("crm-team", alice))
    run = records.run()
    [ticket] = tickets.open_all([records.failure(run)])
    assert (ticket.subject, ticket.event_id, ticket.status) == (f"run:{run.public_id}", run.event_id, TicketStatus.OPEN)
    assert (ticket.exception_class, ticket.reason) == (ExceptionClass.DATA_QUALITY, "unknown_product")
    assert (ticket.queue.name, ticket.owner) == ("crm-team", alice)
    assert "source owner" in ticket.owned_because.lower()
    assert ticket.due_at - ticket.opened_at == timedelta(hours=8)
    assert (ticket.amount, ticket.currency, ticket.customer, ticket.canonical_key) == (
        Decimal("100.00"),
        "EUR",
        "Acme",
        run.canonical_key,
    )
    assert ticket.context["payload"] == {"product": "GTX"}
    assert [entry.kind for entry in ticket.entries.all()] == [EntryKind.OPENED]
    assert ticket.history.count() == 1
    assert LineageFact.objects.filter(run_id=run.pk, kind=FactKind.TICKET, detail__ticket=ticket.public_id).exists()


def test_open_all_tells_the_live_ticket_that_it_happened_again() -> None:
    run = records.run()
    [first] = tickets.open_all([records.failure(run)])
    [again] = tickets.open_all([records.failure(run, message="There is no product GTX Pro.")])
    again.refresh_from_db()
    assert (again.pk, again.times_seen, again.message) == (first.pk, 2, "There is no product GTX Pro.")
    assert [entry.kind for entry in again.entries.all()] == [EntryKind.OPENED, EntryKind.RECURRED]
    assert again.due_at == first.due_at


def test_open_all_opens_a_new_ticket_after_the_old_one_is_resolved() -> None:
    run, alice = records.run(), people.alice()
    [first] = tickets.open_all([records.failure(run)])
    tickets.resolve(first, resolution="duplicate", note="Sent twice.", by=alice)
    [second] = tickets.open_all([records.failure(run)])
    assert second.pk != first.pk
    assert Ticket.objects.filter(subject=first.subject, status__in=LIVE).count() == 1


def test_open_all_merges_failures_of_one_record_in_a_batch() -> None:
    run = records.run()
    found = tickets.open_all([records.failure(run), records.failure(run, message="Again.")])
    assert len(found) == 1


def test_open_all_reroutes_another_kind_of_failure_nobody_has_in_hand() -> None:
    alice, bob = people.alice(), people.bob()
    people.owner(records.FLOW, OwnerRole.SOURCE, person=alice, team=people.team("crm-team", alice))
    people.owner(records.FLOW, OwnerRole.SINK, person=bob, team=people.team("erp-team", bob))
    run = records.run()
    tickets.open_all([records.failure(run)])
    [again] = tickets.open_all(
        [records.failure(run, exception_class=ExceptionClass.ACCOUNTING, reason="closed_period")]
    )
    assert (again.owner, again.queue.name) == (bob, "erp-team")


def test_open_all_leaves_the_owner_of_a_ticket_in_hand() -> None:
    alice = people.alice()
    run = records.run()
    [first] = tickets.open_all([records.failure(run)])
    tickets.acknowledge(tickets.assign(first, to=alice, by=alice), by=alice)
    [again] = tickets.open_all(
        [records.failure(run, exception_class=ExceptionClass.ACCOUNTING, reason="closed_period")]
    )
    assert again.owner == alice
    assert again.status == TicketStatus.ACKNOWLEDGED


def test_open_all_follows_the_routing_table() -> None:
    dana = people.person("Dana Dunn")
    people.team("cfo-desk")
    _route(
        {
            "name": "big",
            "when": "gt(failure.amount, '50')",
            "queue": "cfo-desk",
            "owner": f"person:{dana.username}",
            "severity": "hard",
            "resolve_within": "30m",
        }
    )
    [ticket] = tickets.open_all([records.failure(records.run())])
    assert (ticket.queue.name, ticket.owner, ticket.severity, ticket.sla_minutes) == (
        "cfo-desk",
        dana,
        Severity.HARD,
        30,
    )
    assert ticket.owned_because.startswith("Route exceptions, rule big")


def test_open_all_survives_a_broken_rule_and_says_so() -> None:
    people.team("desk")
    _route(
        {"name": "broken", "when": "failure.nothing > 5", "queue": "desk"},
        {"name": "rest", "when": "true", "queue": "desk"},
    )
    [ticket] = tickets.open_all([records.failure(records.run())])
    assert ticket.queue.name == "desk"
    assert "rule broken could not be asked" in ticket.owned_because


def test_open_all_finds_who_stands_in_for_somebody_away() -> None:
    bob = people.bob()
    alice = people.alice(out_until=timezone.now() + timedelta(days=3), delegate=bob)
    people.owner(records.FLOW, OwnerRole.SOURCE, person=alice)
    [ticket] = tickets.open_all([records.failure(records.run())])
    assert ticket.owner == bob
    assert "by delegation" in ticket.owned_because


def test_open_all_takes_the_fallback_where_owner_and_delegate_are_away() -> None:
    bob, away = people.bob(), timezone.now() + timedelta(days=3)
    alice = people.alice(out_until=away)
    people.owner(records.FLOW, OwnerRole.SOURCE, person=alice, fallback=bob)
    [ticket] = tickets.open_all([records.failure(records.run())])
    assert ticket.owner == bob


def test_open_all_gives_what_nobody_owns_to_triage_for_one_business_day() -> None:
    tess = people.person("Tess Triage")
    people.team("triage", tess, on_call=tess)
    [ticket] = tickets.open_all([records.failure(records.run())])
    assert (ticket.queue.name, ticket.owner) == ("triage", tess)
    assert ticket.sla_minutes >= 24 * 60
    assert "has no source owner" in ticket.owned_because


def test_open_all_speaks_of_events_and_named_subjects() -> None:
    event = records.event(status="quarantined")
    found = tickets.open_all(
        [
            records.failure(event_id=event.pk, system="crm"),
            records.failure(system="erp", exception_class=ExceptionClass.DRIFT),
        ],
        subjects=[f"event:{event.public_id}", "discrepancy:dis_1"],
    )
    assert [ticket.subject for ticket in found] == ["discrepancy:dis_1", f"event:{event.public_id}"]


def test_open_all_refuses_a_failure_about_nothing() -> None:
    with pytest.raises(Invalid, match="names no run, event or system"):
        tickets.open_all([records.failure()])
    assert not Ticket.objects.exists()


def test_open_all_stores_what_postgres_cannot_hold_with_replacements() -> None:
    [ticket] = tickets.open_all(
        [
            records.failure(
                records.run(), message="a\0b \ud800", context={"raw": ["x\0", {"k\0": "\udfff"}]}, customer="N" * 500
            )
        ]
    )
    ticket.refresh_from_db()
    assert "\0" not in ticket.message
    assert ticket.context["raw"][0] == "x\ufffd"
    assert len(ticket.customer) == 200


def test_open_all_opens_the_approval_asked_and_keeps_it_when_asked_again() -> None:
    people.team("deal-desk")
    run = records.held()
    failure = records.asked(run, team="deal-desk", requester="Rita Rep")
    [ticket] = tickets.open_all([failure])
    tickets.open_all([failure])
    approval = Approval.objects.get(run=run)
    assert (approval.ticket, approval.team.name, approval.requester, approval.policy_version) == (
        ticket,
        "deal-desk",
        "Rita Rep",
        3,
    )
    assert approval.snapshot == {"total": "85.00"}


def test_open_all_voids_an_approval_of_what_has_changed() -> None:
    people.team("deal-desk")
    run = records.held()
    tickets.open_all([records.asked(run, team="deal-desk")])
    tickets.open_all([records.asked(run, team="deal-desk", fingerprint="a" * 64)])
    assert list(Approval.objects.order_by("pk").values_list("status", "fingerprint")) == [
        ("void", "f" * 64),
        ("pending", "a" * 64),
    ]


def test_open_all_takes_the_same_number_of_queries_for_any_number_of_failures() -> None:
    alice = people.alice()
    people.owner(records.FLOW, OwnerRole.SOURCE, person=alice, team=people.team("crm-team", alice))
    people.team("triage", alice, on_call=alice)
    people.team("deal-desk")
    runs = [records.run() for _ in range(60)]
    few = _queries(lambda: tickets.open_all([_mixed(run, place) for place, run in enumerate(runs[:4])]))
    many = _queries(lambda: tickets.open_all([_mixed(run, place) for place, run in enumerate(runs[4:])]))
    again = _queries(lambda: tickets.open_all([_mixed(run, place) for place, run in enumerate(runs)]))
    assert few == many <= 21
    assert again <= 21
    assert Ticket.objects.count() == 60
    assert Approval.objects.count() == 30


def test_a_failing_ticket_rolls_the_engines_transaction_back() -> None:
    run = records.run(status=RunStatus.RUNNING)
    with pytest.raises(Invalid):
        _rest_half_way(run)
    run.refresh_from_db()
    assert run.status_reason == ""
    assert not Ticket.objects.exists()
    assert not TicketEntry.objects.exists()


def test_hooks_failed_opens_the_ticket_in_the_same_transaction() -> None:
    run = records.run()
    with transaction.atomic():
        hooks.failed([records.failure(run)])
        assert Ticket.objects.count() == 1
        transaction.set_rollback(True)
    assert not Ticket.objects.exists()


def test_open_all_leaves_the_audit_chain_to_people() -> None:
    tickets.open_all([records.failure(records.run())])
    assert not AuditEvent.objects.exists()


def _rest_half_way(run: Run) -> None:
    """As the engine does: the run's row and its failures in one transaction, one of them about nothing."""
    with transaction.atomic():
        Run.objects.filter(pk=run.pk).update(status_reason="half done")
        hooks.failed([records.failure(run), records.failure()])


def _mixed(run: Run, place: int) -> hooks.Failure:
    return records.asked(run, team="deal-desk") if place % 2 else records.failure(run)


def _queries(act: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)
