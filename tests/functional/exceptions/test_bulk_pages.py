"""Bulk acts: choose, preview, do, results, retry of the rest; at once, and by a worker."""

from __future__ import annotations

import re

import pytest

from exceptions import bulk_jobs, tasks, tickets
from exceptions.enums import ApprovalStatus, BulkAction, Resolution, TicketStatus
from exceptions.models import Approval, BulkJob, Ticket
from syncflows.enums import HoldReason
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db


def text_of(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def choose(client, action: str, chosen: list[Ticket], query: str = "?view=open", **data: str):
    return client.post(
        f"/queue/bulk/{query}",
        {"action": action, "ticket": [ticket.public_id for ticket in chosen], **data},
        follow=True,
    )


def job_of(answer) -> str:
    return answer.redirect_chain[-1][0]


def test_preview_says_what_would_be_done_and_why_not_to_others_and_writes_nothing(client_of) -> None:
    alice, good, other = people.alice(), make.acceptable(), make.ticket()
    answer = choose(client_of(alice), "accept", [good, other])
    text = text_of(answer)
    assert "Accept 2 tickets" in text
    assert "Will be accepted 1" in text
    assert "EUR 100.00" in text
    assert "It does not wait for acceptance" in text
    assert {ticket.status for ticket in Ticket.objects.all()} == {TicketStatus.OPEN}


def test_accept_does_what_it_can_and_offers_the_rest_again(client_of) -> None:
    alice, good, other = people.alice(), make.acceptable(), make.ticket()
    client = client_of(alice)
    path = job_of(choose(client, "accept", [good, other]))
    done = client.post(path, {"reason": "Prices agreed"}, follow=True)
    assert "1 accepted, 1 left as they were" in text_of(done)
    assert other.public_id in done.content.decode()
    good.refresh_from_db()
    assert (good.resolution, good.resolution_note) == (Resolution.ACCEPTED, "Prices agreed")
    again = client.post(path + "again/", follow=True)
    assert "Accept 1 ticket" in text_of(again)
    assert BulkJob.objects.order_by("pk").last().idents == [other.public_id]


def test_nothing_is_done_without_a_reason_and_what_was_typed_stays(client_of) -> None:
    client, ticket = client_of(people.alice()), make.ticket()
    path = job_of(choose(client, "resolve", [ticket]))
    answer = client.post(path, {"reason": "", "resolution": "duplicate"})
    assert answer.status_code == 422
    assert '<option value="duplicate" selected>' in answer.content.decode()
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_starting_twice_does_it_once(client_of) -> None:
    client, ticket = client_of(people.alice()), make.ticket()
    path = job_of(choose(client, "resolve", [ticket]))
    for _ in range(2):
        assert client.post(path, {"reason": "small", "resolution": "written_off"}, follow=True).status_code == 200
    assert ticket.entries.filter(kind="resolved").count() == 1


def test_assign_needs_no_reason_and_goes_to_a_team(client_of) -> None:
    people.team("deal-desk")
    chosen = [make.ticket(), make.ticket()]
    client = client_of(people.alice())
    path = job_of(choose(client, "assign", chosen))
    client.post(path, {"to": "team:deal-desk"})
    assert {ticket.queue.name for ticket in Ticket.objects.select_related("queue")} == {"deal-desk"}


def test_preview_follows_the_assignee_that_is_chosen(client_of) -> None:
    charlie, client = people.charlie(), client_of(people.alice())
    path = job_of(choose(client, "assign", [make.ticket()]))
    assert "Will be assigned 1" in text_of(client.get(path))
    assert "may not work on tickets" in text_of(
        client.get(path, {"to": f"user:{charlie.public_id}"}, HTTP_HX_REQUEST="true")
    )
    assert "There is nobody called" in text_of(client.get(path, {"to": "user:usr_none"}))


def test_all_matching_takes_what_the_filter_finds_not_the_boxes(client_of) -> None:
    mine = [make.ticket() for _ in range(3)]
    make.acceptable()
    answer = choose(client_of(people.alice()), "assign", mine[:1], "?view=open&class=data_quality", all_matching="1")
    assert "Assign 3 tickets" in text_of(answer)


@pytest.mark.parametrize(
    ("action", "said"),
    [("explode", "Choose what to do"), ("grant", "Choose what to do"), ("assign", "Nothing is selected")],
)
def test_a_choice_that_cannot_be_is_told_and_goes_back(client_of, action, said) -> None:
    answer = choose(client_of(people.alice()), action, [])
    assert said in answer.content.decode()
    assert answer.redirect_chain[-1][0].startswith("/queue/?")
    assert not BulkJob.objects.exists()


def test_an_auditor_sees_why_nothing_would_be_done(client_of) -> None:
    client, ticket = client_of(people.charlie()), make.ticket()
    page = client.get("/queue/?view=open").content.decode()
    assert page.count("Your role may not") >= 4
    path = job_of(choose(client, "resolve", [ticket]))
    assert "Your role may not work on tickets" in text_of(client.get(path))
    client.post(path, {"reason": "I try", "resolution": "written_off"})
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_a_bulk_act_is_its_makers_alone(client_of) -> None:
    path = job_of(choose(client_of(people.alice()), "resolve", [make.ticket()]))
    assert client_of(people.alice()).get(path).status_code == 404


def test_many_are_carried_by_a_worker_with_progress(client_of) -> None:
    made = tickets.open_all(
        [records.held_price(records.held(HoldReason.ACCEPTANCE)) for _ in range(bulk_jobs.AT_ONCE + 1)]
    )
    client = client_of(people.alice())
    path = job_of(choose(client, "accept", [], all_matching="1"))
    text = text_of(client.post(path, {"reason": "Agreed"}, follow=True))
    assert f"0 of {len(made)}" in text
    assert "Waiting for a worker" in text
    assert not Ticket.objects.filter(status=TicketStatus.RESOLVED).exists()
    tasks.carry_bulk_job(job_id=BulkJob.objects.get().pk)
    assert f"{len(made)} accepted." in text_of(client.get(path))
    assert "hx-trigger" not in client.get(path, HTTP_HX_REQUEST="true").content.decode()
    assert not Ticket.objects.exclude(resolution=Resolution.ACCEPTED).exists()


def test_a_worker_that_takes_over_does_only_the_rest() -> None:
    made, alice = tickets.open_all([records.failure(records.run()) for _ in range(3)]), people.alice()
    job = bulk_jobs.make(BulkAction.RESOLVE, [ticket.public_id for ticket in made], by=alice)
    BulkJob.objects.filter(pk=job.pk).update(
        asked_at=job.made_at, beat_at=job.made_at - 2 * bulk_jobs.SILENT, reason="small", options={"resolution": "written_off"},
        results=[{"id": made[0].public_id, "problem": "", "code": ""}],
    )  # fmt: skip
    job.refresh_from_db()
    bulk_jobs.carry(job)
    assert [item["id"] for item in job.results] == [ticket.public_id for ticket in made]
    assert Ticket.objects.filter(status=TicketStatus.RESOLVED).count() == 2
    bulk_jobs.carry(job)
    assert len(job.results) == 3


def test_two_workers_never_carry_the_same() -> None:
    job = bulk_jobs.make(BulkAction.RESOLVE, [make.ticket().public_id], by=people.alice())
    BulkJob.objects.filter(pk=job.pk).update(asked_at=job.made_at, beat_at=job.made_at)
    bulk_jobs.carry(job)
    assert job.results == []
    assert not Ticket.objects.filter(status=TicketStatus.RESOLVED).exists()


def test_approvals_are_granted_in_bulk_by_four_eyes(client_of) -> None:
    bob = people.bob()
    good, own = make.approval(bob), make.approval(bob, requester=bob.username)
    client = client_of(bob)
    answer = client.post(
        "/approvals/bulk/?view=mine", {"action": "grant", "approval": [good.public_id, own.public_id]}, follow=True
    )
    assert "Will be approved 1" in text_of(answer)
    done = client.post(answer.redirect_chain[-1][0], {"reason": "Quarter's price review"}, follow=True)
    assert "1 approved, 1 left as they were" in text_of(done)
    assert "which is you" in done.content.decode()
    assert {item.pk: item.status for item in Approval.objects.all()} == {
        good.pk: ApprovalStatus.APPROVED,
        own.pk: ApprovalStatus.PENDING,
    }
