"""Decisions: four eyes, once, with a reason, bound to what was shown. Alice works tickets, Bob approves, Charlie is an outsider."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from exceptions import approvals, breaches, fixing, tickets
from exceptions.enums import ApprovalStatus, EntryKind, Resolution, TicketStatus
from exceptions.models import Approval, Ticket, TicketEntry
from meshline.audit.models import AuditEvent
from meshline.kernel import actors
from meshline.kernel.errors import Conflict, Invalid, MeshlineError, NotAllowed
from ownership.enums import Role
from syncflows import hooks
from syncflows.engine import runs
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.enums import HoldReason
from tests.factories import people, records
from tests.factories import tickets as make


@pytest.mark.django_db
def test_grant_lets_the_run_go_on_with_a_clearance_for_what_was_shown() -> None:
    bob = people.bob()
    approval = make.approval(bob, requester="Rita Rep")
    granted = approvals.grant(approval, by=bob, reason="Strategic customer.")
    run = Run.objects.get(pk=approval.run_id)
    assert run.status == RunStatus.PENDING
    [cleared] = run.clearances
    assert (cleared["policy"], cleared["rule"], cleared["version"], cleared["fingerprint"]) == (
        "discounts",
        "discount-cap",
        3,
        "f" * 64,
    )
    assert (cleared["by"], cleared["via"]) == ("Bob Brown", approval.public_id)
    assert (granted.status, granted.decided_by, granted.decision_reason) == (
        ApprovalStatus.APPROVED,
        bob,
        "Strategic customer.",
    )
    ticket = Ticket.objects.get(pk=approval.ticket_id)
    assert (ticket.status, ticket.resolution, ticket.resolved_by) == (
        TicketStatus.RESOLVED,
        Resolution.APPROVED,
        "Bob Brown",
    )
    assert LineageFact.objects.filter(run_id=run.pk, kind=FactKind.DECISION, actor="Bob Brown").exists()
    assert AuditEvent.objects.filter(
        act="approval.approved", object_id=approval.public_id, actor=bob.public_id, reason="Strategic customer."
    ).exists()


@pytest.mark.django_db
def test_refuse_closes_run_and_ticket_with_the_reason() -> None:
    bob = people.bob()
    approval = make.approval(bob)
    approvals.refuse(approval, by=bob, reason="Too deep.")
    run, ticket = Run.objects.get(pk=approval.run_id), Ticket.objects.get(pk=approval.ticket_id)
    assert (run.status, run.status_reason, run.clearances) == (RunStatus.CANCELLED, "Refused: Too deep.", [])
    assert (ticket.resolution, ticket.resolution_note) == (Resolution.REFUSED, "Too deep.")
    assert AuditEvent.objects.filter(act="approval.refused", object_id=approval.public_id).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("named", ["username", "email", "full name", "shouted"])
def test_grant_is_refused_to_who_asked(named: str) -> None:
    bob = people.bob()
    names = {"username": bob.username, "email": bob.email, "full name": "bob  brown", "shouted": bob.email.upper()}
    approval = make.approval(bob, requester=names[named])
    with pytest.raises(NotAllowed, match="which is you"):
        approvals.grant(approval, by=bob, reason="I like it.")
    _assert_untouched(approval)


@pytest.mark.django_db
def test_grant_is_refused_to_an_admin_who_asked() -> None:
    alex = people.person("Alex Admin", role=Role.ADMIN)
    approval = make.approval(requester=alex.username)
    with pytest.raises(NotAllowed, match="which is you"):
        approvals.grant(approval, by=alex, reason="Mine.")
    _assert_untouched(approval)


@pytest.mark.django_db
def test_grant_is_refused_to_who_corrected_the_record() -> None:
    rob = people.person("Rob Revops", role=Role.FLOW_OWNER)
    run = records.held()
    [ticket] = tickets.open_all([records.asked(run, team=make.team_of(rob).name)])
    fixing.fix_and_replay(ticket, payload={"account": "Acme", "amount": "85.00"}, reason="Typo.", by=rob)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.HELD, hold_reason=HoldReason.APPROVAL)
    tickets.open_all([records.asked(run, team="deal-desk", fingerprint="c" * 64)])
    approval = Approval.objects.get(run=run, status=ApprovalStatus.PENDING)
    with pytest.raises(NotAllowed, match="You corrected the record"):
        approvals.grant(approval, by=rob, reason="Fine now.")
    _assert_untouched(approval)


@pytest.mark.django_db
def test_grant_is_refused_to_outsiders() -> None:
    bob, other, charlie = people.bob(), people.person("Sam Sales", role=Role.SALES_LEADER), people.charlie()
    approval = make.approval(bob)
    for outsider, sentence in (
        (other, "not a member"),
        (charlie, "may not decide approvals"),
        (people.alice(), "may not decide approvals"),
    ):
        with pytest.raises(NotAllowed, match=sentence):
            approvals.grant(approval, by=outsider, reason="Please.")
    _assert_untouched(approval)


@pytest.mark.django_db
def test_grant_takes_an_admin_who_is_no_member() -> None:
    alex = people.person("Alex Admin", role=Role.ADMIN)
    assert (
        approvals.grant(make.approval(people.bob()), by=alex, reason="Bob is away.").status == ApprovalStatus.APPROVED
    )


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["", "  \n\t"])
def test_grant_needs_a_reason(reason: str) -> None:
    bob = people.bob()
    approval = make.approval(bob)
    with pytest.raises(Invalid, match="reason is missing"):
        approvals.grant(approval, by=bob, reason=reason)
    _assert_untouched(approval)


@pytest.mark.django_db
def test_grant_happens_once() -> None:
    bob = people.bob()
    approval = make.approval(bob)
    approvals.grant(approval, by=bob, reason="Yes.")
    for decide in (approvals.grant, approvals.refuse):
        with pytest.raises(Conflict, match="decided already"):
            decide(approval, by=bob, reason="Again.")
    assert len(Run.objects.get(pk=approval.run_id).clearances) == 1


@pytest.mark.django_db
def test_grant_waits_for_the_other_approvals_of_the_run() -> None:
    bob = people.bob()
    team, run = make.team_of(bob), records.held()
    tickets.open_all(
        [
            records.asked(run, team=team.name, rule="cap"),
            records.asked(run, team=team.name, rule="margin", fingerprint="d" * 64),
        ]
    )
    first, second = Approval.objects.filter(run=run).order_by("pk")
    approvals.grant(first, by=bob, reason="One.")
    run.refresh_from_db()
    assert run.status == RunStatus.HELD
    assert Ticket.objects.get(run=run).status == TicketStatus.OPEN
    approvals.grant(second, by=bob, reason="Two.")
    run.refresh_from_db()
    assert run.status == RunStatus.PENDING
    assert {cleared["rule"] for cleared in run.clearances} == {"cap", "margin"}
    assert Ticket.objects.get(run=run).resolution == Resolution.APPROVED


@pytest.mark.django_db
def test_a_corrected_payload_voids_what_was_asked() -> None:
    bob, alice = people.bob(), people.alice()
    approval = make.approval(bob)
    fixing.fix_and_replay(
        approval.ticket, payload={"account": "Acme", "amount": "90.00"}, reason="Agreed anew.", by=alice
    )
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.VOID
    with pytest.raises(Conflict, match="Void"):
        approvals.grant(approval, by=bob, reason="Late.")
    assert Run.objects.get(pk=approval.run_id).clearances == []


@pytest.mark.django_db
def test_a_superseded_run_voids_what_was_asked_and_ends_its_ticket() -> None:
    approval = make.approval(people.bob())
    hooks.runs_ended([approval.run_id], why=RunStatus.SUPERSEDED.value, by=actors.system("engine"))
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.VOID
    assert Ticket.objects.get(pk=approval.ticket_id).resolution == Resolution.SUPERSEDED


@pytest.mark.django_db
def test_grant_of_a_run_that_moved_on_changes_nothing() -> None:
    bob = people.bob()
    approval = make.approval(bob)
    runs.release(approval.run_id, by=actors.system("engine"), reason="by itself")
    with pytest.raises(Conflict, match="does not wait any more"):
        approvals.grant(approval, by=bob, reason="Yes.")
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING


@pytest.mark.django_db
def test_accept_releases_what_a_policy_holds() -> None:
    alice, ticket = people.alice(), make.acceptable()
    accepted = approvals.accept(ticket, by=alice, reason="Customer confirmed the price.")
    run = Run.objects.get(pk=ticket.run_id)
    assert (accepted.resolution, run.status) == (Resolution.ACCEPTED, RunStatus.PENDING)
    [cleared] = run.clearances
    assert (cleared["policy"], cleared["rule"], cleared["version"], cleared["fingerprint"], cleared["via"]) == (
        "prices", "price-window", 2, "e" * 64, ticket.public_id,
    )  # fmt: skip
    assert AuditEvent.objects.filter(act="ticket.resolved", object_id=ticket.public_id, actor=alice.public_id).exists()


@pytest.mark.django_db
def test_accept_is_refused_where_an_approval_is_needed() -> None:
    alice, approval = people.alice(), make.approval(people.bob())
    with pytest.raises(Conflict, match="needs an approval"):
        approvals.accept(approval.ticket, by=alice, reason="Looks fine.")
    _assert_untouched(approval)


@pytest.mark.django_db
def test_accept_is_refused_to_who_may_not_and_where_nothing_waits_for_it() -> None:
    ticket = make.acceptable()
    with pytest.raises(NotAllowed, match="may not accept"):
        approvals.accept(ticket, by=people.bob(), reason="Fine.")
    with pytest.raises(Conflict, match="does not wait for acceptance"):
        approvals.accept(make.ticket(), by=people.alice(), reason="Fine.")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    assert Run.objects.get(pk=ticket.run_id).clearances == []


@pytest.mark.django_db(transaction=True)
def test_grant_and_refuse_at_once_have_one_winner() -> None:
    bob, sam = people.bob(), people.person("Sam Sales", role=Role.SALES_LEADER)
    approval = make.approval(bob, sam)
    outcomes = _at_once(
        lambda: approvals.grant(approval, by=bob, reason="Yes."),
        lambda: approvals.refuse(approval, by=sam, reason="No."),
    )
    assert sorted(outcomes) == ["already_decided", "done"]
    approval.refresh_from_db()
    run, ticket = Run.objects.get(pk=approval.run_id), Ticket.objects.get(pk=approval.ticket_id)
    granted = approval.status == ApprovalStatus.APPROVED
    assert (run.status, len(run.clearances)) == ((RunStatus.PENDING, 1) if granted else (RunStatus.CANCELLED, 0))
    assert ticket.resolution == (Resolution.APPROVED if granted else Resolution.REFUSED)
    assert ticket.entries.filter(kind=EntryKind.DECISION).count() == 1
    assert AuditEvent.objects.filter(object_id=approval.public_id).count() == 1
    assert approval.history.exclude(status=ApprovalStatus.PENDING).count() == 1


@pytest.mark.django_db(transaction=True)
def test_open_all_from_two_workers_at_once_opens_one_ticket_per_record() -> None:
    found = [records.run() for _ in range(20)]
    failures = [records.failure(run) for run in found]
    outcomes = _at_once(lambda: tickets.open_all(failures), lambda: tickets.open_all(failures[::-1]))
    assert outcomes == ["done", "done"]
    assert Ticket.objects.count() == 20
    assert set(Ticket.objects.values_list("times_seen", flat=True)) == {2}


@pytest.mark.django_db(transaction=True)
def test_two_watchers_at_once_escalate_once() -> None:
    found = [make.ticket() for _ in range(5)]
    late = max(ticket.due_at for ticket in found)
    outcomes = _at_once(lambda: breaches.watch(late), lambda: breaches.watch(late))
    assert outcomes == ["done", "done"]
    assert TicketEntry.objects.filter(kind=EntryKind.ESCALATED).count() == 5


def _at_once(*acts: Any) -> list[str]:
    gate, outcomes = threading.Barrier(len(acts)), []

    def act(call: Any) -> None:
        try:
            gate.wait(timeout=10)
            call()
            outcomes.append("done")
        except MeshlineError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=(call,)) for call in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return outcomes


def _assert_untouched(approval: Approval) -> None:
    approval.refresh_from_db()
    run = Run.objects.get(pk=approval.run_id)
    assert (approval.status, approval.decided_by, approval.decided_at) == (ApprovalStatus.PENDING, None, None)
    assert (run.status, run.clearances) == (RunStatus.HELD, [])
    assert Ticket.objects.get(pk=approval.ticket_id).status == TicketStatus.OPEN
    assert not AuditEvent.objects.filter(object_id=approval.public_id).exists()
