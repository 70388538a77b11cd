"""The commands: what they do, the JSON object they print last, and when they fail."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from exceptions import tickets
from exceptions.enums import ApprovalStatus, TicketStatus
from exceptions.models import Approval, Ticket
from syncflows.enums import HoldReason
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db


def _run(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return dict(json.loads(out.getvalue().strip().splitlines()[-1]))


def _fails(*words: str) -> tuple[str, dict[str, Any]]:
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(*words, stdout=out, stderr=StringIO())
    lines = out.getvalue().strip().splitlines()
    return str(caught.value), json.loads(lines[-1]) if lines else {}


def test_approvals_grant_all_of_a_policy() -> None:
    bob = people.bob()
    approval = make.approval(bob)
    [listed] = _run("approvals", "list")["approvals"]
    assert (listed["id"], listed["amount"], listed["currency"]) == (approval.public_id, "100", "EUR")
    found = _run(
        "approvals", "grant", "--policy", "discounts", "--all", "--by", bob.username, "--reason", "Quarter end."
    )
    assert (found["done"], found["refused"]) == (1, 0)
    assert _run("approvals", "list")["count"] == 0
    assert Approval.objects.get().decided_by == bob


def test_approvals_refuse_one_by_its_id() -> None:
    bob = people.bob()
    approval = make.approval(bob)
    assert _run("approvals", "refuse", approval.public_id, "--by", bob.username, "--reason", "No.")["done"] == 1
    assert Approval.objects.get().status == ApprovalStatus.REFUSED


def test_approvals_that_may_not_be_decided_are_told_and_fail() -> None:
    bob = people.bob()
    approval = make.approval(bob, requester=bob.username)
    message, found = _fails("approvals", "grant", "--all", "--by", bob.username, "--reason", "Yes.")
    assert message.startswith("1 of 1 could not be done")
    assert found["problems"][0]["id"] == approval.public_id
    assert "which is you" in found["problems"][0]["problem"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--all", "--by", "nobody", "--reason", "x"], "There is no active user 'nobody'"),
        (["--by", "{bob}", "--reason", "x"], "or say --all"),
        (["apr_1", "--all", "--by", "{bob}", "--reason", "x"], "one of the two"),
        (["apr_1", "--by", "{bob}", "--reason", "x"], "Not found: apr_1"),
        (["--all", "--by", "{bob}", "--reason", " "], "The reason is missing"),
        (["--all", "--by", "{bob}"], "--reason"),
    ],
)
def test_approvals_grant_says_what_is_wrong(words: list[str], message: str) -> None:
    bob = people.bob()
    make.approval(bob)
    assert message in _fails("approvals", "grant", *[word.replace("{bob}", bob.username) for word in words])[0]
    assert Approval.objects.get().status == ApprovalStatus.PENDING


def test_tickets_accept_all_of_a_reason() -> None:
    alice = people.alice()
    tickets.open_all([records.held_price(records.held(HoldReason.ACCEPTANCE)) for _ in range(2)])
    other = make.ticket()
    found = _run(
        "tickets",
        "accept",
        "--class",
        "policy",
        "--reason-code",
        "price_above_list",
        "--by",
        alice.username,
        "--reason",
        "Agreed.",
    )
    assert found["done"] == 2
    assert [row["id"] for row in _run("tickets", "list")["tickets"]] == [other.public_id]


def test_tickets_replay_resolve_and_assign() -> None:
    alice = people.alice()
    one, two = make.ticket(), make.ticket()
    assert (
        _run("tickets", "assign", "--class", "data_quality", "--to", alice.username, "--by", alice.username)["done"]
        == 2
    )
    assert _run("tickets", "list", "--owner", alice.username)["count"] == 2
    assert _run("tickets", "replay", one.public_id, "--by", alice.username, "--reason", "Loaded.")["done"] == 1
    assert (
        _run(
            "tickets",
            "resolve",
            two.public_id,
            "--resolution",
            "written_off",
            "--by",
            alice.username,
            "--reason",
            "Small.",
        )["done"]
        == 1
    )
    assert set(Ticket.objects.values_list("status", flat=True)) == {TicketStatus.RESOLVED}


def test_tickets_need_a_choice_and_people_that_exist() -> None:
    alice = people.alice()
    make.ticket()
    assert "narrow them with" in _fails("tickets", "replay", "--by", alice.username, "--reason", "x")[0]
    assert (
        "There is no team 'moon'"
        in _fails("tickets", "assign", "--flow", records.FLOW, "--team", "moon", "--by", alice.username)[0]
    )
    assert Ticket.objects.get().status == TicketStatus.OPEN
