"""A service desk works a ticket from the list to its end."""

from __future__ import annotations

from typing import Any

import pytest

from exceptions.enums import ApprovalStatus, Resolution, TicketStatus
from exceptions.models import Approval, Ticket
from meshline.kernel.api.fields import PUBLIC_ID
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from tests.factories import people, records
from tests.factories import tickets as make
from tests.functional.api.conftest import Api

WORK = ("tickets:read", "tickets:write")


def test_list_shows_public_ids_money_and_utc_times(api: Api) -> None:
    ticket = make.ticket()
    [row] = api("tickets:read").get("tickets/").json()["results"]
    assert (row["id"], row["run"], row["class"], row["reason"]) == (
        ticket.public_id,
        ticket.run.public_id,
        "data_quality",
        "unknown_product",
    )
    assert row["at_risk"] == {"amount": "100.00", "currency": "EUR"}
    assert row["opened_at"].endswith("Z")
    assert row["queue"]["name"] == ticket.queue.name
    assert "pk" not in row


def test_list_filters_as_the_page_does(api: Api) -> None:
    acceptable, other = make.acceptable(), make.ticket()
    client = api("tickets:read")
    found = client.get("tickets/", params={"class": "policy", "view": "open", "flow": records.FLOW}).json()["results"]
    assert [row["id"] for row in found] == [acceptable.public_id]
    assert client.get("tickets/", params={"q": other.public_id}).json()["results"][0]["id"] == other.public_id


UNREADABLE = [("statuss", "open"), ("status", "nope"), ("amount_min", "ten"), ("format", "xml"), ("q", "a\0b")]


def test_list_refuses_filters_that_it_cannot_read(api: Api) -> None:
    client = api("tickets:read")
    for name, value in UNREADABLE:
        answer = client.get("tickets/", params={name: value})
        assert (answer.status_code, [item["field"] for item in answer.json()["errors"]]) == (400, [name])


def test_show_tells_all_that_is_needed(api: Api) -> None:
    approval = make.approval(people.bob())
    shown = api("tickets:read").get(f"tickets/{approval.ticket.public_id}/").json()
    assert [line["kind"] for line in shown["timeline"]] == ["opened"]
    assert [item["id"] for item in shown["approvals"]] == [approval.public_id]
    assert shown["payload"] == {"account": "Acme", "amount": "100.00"}
    assert shown["resolutions_by_hand"] == ["corrected", "duplicate", "written_off"]
    assert shown["links"]["approvals"] == [f"/api/v1/approvals/{approval.public_id}/"]
    assert shown["remedy"] == "Decide it."


def test_every_id_shown_is_a_public_one(api: Api) -> None:
    import re

    shown = api("tickets:read").get(f"tickets/{make.ticket().public_id}/").json()
    assert re.fullmatch(PUBLIC_ID, shown["id"])
    assert re.fullmatch(PUBLIC_ID, shown["run"])
    assert re.fullmatch(PUBLIC_ID, shown["event"])


def test_comment_acknowledge_assign_and_wait(api: Api) -> None:
    alice, ticket = people.alice(), make.ticket()
    client, path = api(*WORK), f"tickets/{ticket.public_id}/"
    line = client.post(f"{path}comment/", json={"text": "Called the customer."})
    assert (line.status_code, line.json()["text"], line.json()["actor"]) == (
        201,
        "Called the customer.",
        "service desk",
    )
    assert client.post(f"{path}acknowledge/").json()["status"] == TicketStatus.ACKNOWLEDGED
    assert client.post(f"{path}assign/", json={"person": alice.username}).json()["owner"]["username"] == alice.username
    assert client.post(f"{path}wait/", json={"reason": "For the vendor."}).json()["status"] == TicketStatus.WAITING
    refused = client.post(f"{path}assign/", json={"person": "nobody"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_assignee")


@pytest.mark.parametrize(("query", "flag"), [("?preview=1", False), ("", True)])
def test_fix_previews_without_writing(api: Api, query: str, flag: bool) -> None:
    ticket = make.ticket()
    asked = {"payload": {"account": "Acme", "amount": "99.50"}, "dry_run": flag}
    shown = api(*WORK).post(f"tickets/{ticket.public_id}/fix/{query}", json=asked).json()
    assert shown["changes"] == [{"path": "amount", "before": "100.00", "after": "99.50", "kind": "changed"}]
    ticket.refresh_from_db()
    assert (ticket.status, ticket.entries.count(), Run.objects.get().payload) == (TicketStatus.OPEN, 1, None)


def test_fix_corrects_exactly_and_replays(api: Api) -> None:
    ticket = make.ticket()
    body = b'{"payload": {"account": "Acme", "amount": 99.10}, "reason": "Typo."}'
    answer = api(*WORK).post(
        f"tickets/{ticket.public_id}/fix/", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["resolution"]) == (200, Resolution.REPLAYED)
    run = Run.objects.get()
    assert (run.status, run.payload) == (RunStatus.PENDING, {"account": "Acme", "amount": "99.10"})


def test_fix_without_reason_or_object_is_refused(api: Api) -> None:
    ticket, client = make.ticket(), api(*WORK)
    path = f"tickets/{ticket.public_id}/fix/"
    assert client.post(path, json={"payload": {"a": "b"}}).json()["code"] == "reason_missing"
    assert client.post(path, json={"payload": [1], "reason": "x"}).json()["code"] == "payload_not_an_object"
    assert client.post(path, json={"payload": {}, "reason": "x", "from_step": "nope"}).status_code == 422
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_replay_accept_resolve_and_reopen(api: Api) -> None:
    client = api(*WORK)
    replayed = client.post(
        f"tickets/{make.ticket().public_id}/replay/", json={"reason": "The product exists now."}
    ).json()
    accepted = client.post(f"tickets/{make.acceptable().public_id}/accept/", json={"reason": "Agreed price."}).json()
    path = f"tickets/{make.ticket().public_id}/"
    resolved = client.post(f"{path}resolve/", json={"resolution": "written_off", "note": "Test order."}).json()
    again = client.post(f"{path}resolve/", json={"resolution": "written_off", "note": "Test order."})
    reopened = client.post(f"{path}reopen/", json={"reason": "It was none."}).json()
    assert [item["resolution"] for item in (replayed, accepted, resolved, reopened)] == [
        "replayed",
        "accepted",
        "written_off",
        "",
    ]
    assert (again.status_code, again.json()["code"]) == (409, "ticket_resolved")
    assert reopened["status"] == TicketStatus.OPEN


def test_bulk_previews_then_does_it_record_by_record(api: Api) -> None:
    first, second = make.acceptable(), make.ticket()
    client, ids = api(*WORK), [first.public_id, second.public_id]
    preview = client.post("tickets/bulk/", json={"action": "accept", "ids": ids, "dry_run": True}).json()
    assert (preview["total"], preview["allowed"], preview["refused"]) == (2, 1, 1)
    assert preview["amounts"] == [{"amount": "100.00", "currency": "EUR"}]
    done = client.post("tickets/bulk/", json={"action": "accept", "ids": ids, "reason": "Agreed."}).json()
    assert [(item["id"], item["done"]) for item in done["results"]] == [(ids[0], True), (ids[1], False)]
    assert done["results"][1]["code"] == "not_acceptable"


def test_bulk_by_filter_and_what_it_refuses(api: Api) -> None:
    ticket, client = make.ticket(), api(*WORK)
    asked: dict[str, Any] = {
        "action": "resolve",
        "resolution": "duplicate",
        "reason": "Twice.",
        "filter": {"class": "data_quality"},
    }
    assert client.post("tickets/bulk/", json={**asked, "filter": {"nope": "1"}}).status_code == 400
    assert client.post("tickets/bulk/", json={**asked, "ids": [ticket.public_id]}).status_code == 422
    assert (
        client.post("tickets/bulk/", json={"action": "replay", "ids": ["tkt_nope"], "reason": "x"}).status_code == 404
    )
    assert client.post("tickets/bulk/", json=asked).json()["done"] == 1
    assert Ticket.objects.get().resolution == Resolution.DUPLICATE


def test_a_token_decides_only_as_a_member_of_the_team(api: Api) -> None:
    approval = make.approval(people.bob())
    path, asked = f"approvals/{approval.public_id}/decide/", {"decision": "approve", "reason": "Strategic customer."}
    outsider = api("approvals:decide").post(path, json=asked)
    assert (outsider.status_code, outsider.json()["code"]) == (403, "not_in_team")
    assert Approval.objects.get().status == ApprovalStatus.PENDING
    member = api("approvals:decide", "approvals:read", team=approval.team)
    assert member.get(f"approvals/{approval.public_id}/").json()["bound"] == {"discount_pct": "15"}
    assert member.post(path, json=asked).json()["status"] == ApprovalStatus.APPROVED
    assert member.post(path, json=asked).json()["code"] == "already_decided"


def test_bulk_decisions(api: Api) -> None:
    team = make.team_of()
    approvals = [make.approval() for _ in range(3)]
    client = api("approvals:decide", team=team)
    done = client.post(
        "approvals/bulk/", json={"decision": "refuse", "filter": {"status": "pending"}, "reason": "Too deep."}
    ).json()
    assert (done["total"], done["done"]) == (3, 3)
    assert set(Approval.objects.values_list("status", flat=True)) == {ApprovalStatus.REFUSED}
    assert len(approvals) == 3


def test_a_person_reads_with_a_session_and_writes_with_csrf(api: Api, client: Any) -> None:
    charlie, ticket = people.charlie(), make.ticket()
    client.force_login(charlie)
    browser = api(anonymous=True)
    browser.cookies.set("sessionid", client.cookies["sessionid"].value)
    assert browser.get("tickets/").status_code == 200
    assert browser.post(f"tickets/{ticket.public_id}/comment/", json={"text": "x"}).status_code == 403
    token = "a" * 32
    browser.cookies.set("csrftoken", token)
    refused = browser.post(f"tickets/{ticket.public_id}/comment/", json={"text": "x"}, headers={"X-CSRFToken": token})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert "Your role may not work on tickets" in refused.json()["detail"]
    assert ticket.entries.count() == 1
