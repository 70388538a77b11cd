"""Approvals: the list, one approval with its figures, the decision and who may not take it."""

from __future__ import annotations

import re

import pytest

from exceptions import approvals
from exceptions.enums import ApprovalStatus
from exceptions.models import Approval
from syncflows.engine.enums import RunStatus
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db

QUERIES = 11
DOCUMENT = {
    "list_total": "58780.49", "total": "48200.00", "customer_tier": "Silver", "discount_reason": "Signature promised today <b>",
    "lines": [{"name": "GTX Pro", "quantity": 900, "list_price": "50.00", "unit_price": "41.00"}, {"name": "Setup", "quantity": 10, "list_price": "1130.00", "unit_price": "1130.00"}],
}  # fmt: skip


def asked(bob, **values) -> Approval:
    found = make.approval(bob, **values)
    found.snapshot = DOCUMENT
    found.save(update_fields=["snapshot"])
    return found


def shown(page: str) -> list[str]:
    return re.findall(r'data-row="(apr_\w+)"', page)


def test_list_shows_mine_first_and_what_is_given_away(client_of) -> None:
    bob = people.bob()
    approval = asked(bob)
    page = client_of(bob).get("/approvals/").content.decode()
    assert shown(page) == [approval.public_id]
    assert "10,580.49" in page
    assert "18.00 %" in page
    assert shown(client_of(people.alice()).get("/approvals/?view=mine").content.decode()) == []
    assert shown(client_of(people.alice()).get("/approvals/").content.decode()) == [approval.public_id]


def test_list_without_any_approval_says_how_they_come(client_of) -> None:
    assert "Nothing waits for a decision" in client_of(people.bob()).get("/approvals/").content.decode()


def test_list_takes_the_same_queries_for_one_and_for_many(client_of, django_assert_num_queries) -> None:
    bob = people.bob()
    client = client_of(bob)
    asked(bob)
    client.get("/approvals/")
    with django_assert_num_queries(QUERIES):
        client.get("/approvals/")
    for _ in range(60):
        make.approval(bob)
    with django_assert_num_queries(QUERIES):
        assert len(shown(client.get("/approvals/").content.decode())) == 50


def test_decided_ones_are_listed_newest_first(client_of) -> None:
    bob = people.bob()
    first, second = asked(bob), asked(bob)
    approvals.refuse(first, by=bob, reason="No")
    assert shown(client_of(bob).get("/approvals/?view=all").content.decode()) == [second.public_id, first.public_id]
    assert shown(client_of(bob).get("/approvals/?view=all&status=refused").content.decode()) == [first.public_id]


@pytest.mark.parametrize("query", ["amount_min=x", "view=nope", "cursor=%00", "team=%00", "q=%00", "sort=amount"])
def test_list_survives_what_it_cannot_read(client_of, query) -> None:
    asked(people.bob())
    assert client_of(people.alice()).get(f"/approvals/?{query}").status_code == 200


def test_approval_shows_list_asked_and_given_away_by_line(client_of) -> None:
    bob = people.bob()
    text = re.sub(
        r"\s+",
        " ",
        re.sub(
            r"<[^>]+>",
            " ",
            client_of(bob).get(f"/approvals/{asked(bob, requester='Lena Vogt').public_id}/").content.decode(),
        ),
    )
    assert "Asked by Lena Vogt" in text
    assert "Given away EUR 10,580.49 (18.00 %)" in text
    assert "GTX Pro × 900 50.00 41.00 18.00" in text
    assert "tier Silver" in text
    assert "Signature promised today &lt;b&gt;" in text
    assert "bound to exactly these figures" in text


@pytest.mark.parametrize(
    ("decision", "status", "run"),
    [("approve", ApprovalStatus.APPROVED, RunStatus.PENDING), ("refuse", ApprovalStatus.REFUSED, RunStatus.CANCELLED)],
)
def test_a_decision_is_taken_and_shown(client_of, decision, status, run) -> None:
    bob = people.bob()
    approval = asked(bob)
    page = (
        client_of(bob)
        .post(f"/approvals/{approval.public_id}/", {"decision": decision, "reason": "As agreed"}, follow=True)
        .content.decode()
    )
    approval = Approval.objects.get(pk=approval.pk)
    assert (approval.status, approval.run.status, approval.decided_by) == (status, run, bob)
    assert "As agreed" in page
    assert 'name="decision"' not in page


def test_a_decision_needs_a_reason_and_a_button(client_of) -> None:
    bob = people.bob()
    approval = asked(bob)
    client, path = client_of(bob), f"/approvals/{approval.public_id}/"
    for data, said in (
        ({"decision": "approve", "reason": " "}, "Write a reason first"),
        ({"reason": "ok"}, "Press Approve or Refuse"),
        ({"decision": "maybe", "reason": "kept"}, "kept"),
    ):
        answer = client.post(path, data)
        assert answer.status_code == 422
        assert said in answer.content.decode()
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING


def test_who_asked_never_decides_and_is_told_so(client_of) -> None:
    bob = people.bob()
    approval = asked(bob, requester=bob.email)
    client, path = client_of(bob), f"/approvals/{approval.public_id}/"
    assert "which is you" in client.get(path).content.decode()
    answer = client.post(path, {"decision": "approve", "reason": "I want it"})
    assert answer.status_code == 403
    assert "which is you" in answer.content.decode()
    assert "I want it" in answer.content.decode()
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING


@pytest.mark.parametrize("make_person", [people.alice, people.charlie])
def test_others_see_it_and_may_not_decide(client_of, make_person) -> None:
    approval = asked(people.bob())
    client, path = client_of(make_person()), f"/approvals/{approval.public_id}/"
    assert "Your role may not decide approvals" in client.get(path).content.decode()
    assert client.post(path, {"decision": "approve", "reason": "x"}).status_code == 403
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING


def test_deciding_twice_is_a_conflict_that_shows_how_it_ended(client_of) -> None:
    bob, eve = people.bob(), people.bob()
    approval = asked(bob, run=records.held())
    approval.team.members.add(eve)
    approvals.grant(approval, by=bob, reason="Fine by me")
    answer = client_of(eve).post(f"/approvals/{approval.public_id}/", {"decision": "refuse", "reason": "Too late"})
    assert answer.status_code == 409
    assert "Fine by me" in answer.content.decode()


def test_news_tells_that_it_is_decided(client_of) -> None:
    bob = people.bob()
    approval = asked(bob)
    client, path = client_of(bob), f"/approvals/{approval.public_id}/?since=pending"
    assert "by now" not in client.get(path, HTTP_HX_REQUEST="true").content.decode()
    approvals.grant(approval, by=bob, reason="ok")
    answer = client.get(path, HTTP_HX_REQUEST="true").content.decode()
    assert "This is approved by now" in answer
    assert "hx-trigger" not in answer
