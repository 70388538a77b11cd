"""Webhooks are signed per Standard Webhooks, kept until they are taken, and broken on demand."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.integration.sandbox.conftest import SECRET
from tests.integration.sandbox.receivers import Receiver, wait_until

DEAL = {"account_name": "Amberley Foundry", "product": "Caliper 100", "close_value": "240.00"}


def deliveries(crm: httpx.Client, hook: dict[str, Any]) -> list[dict[str, Any]]:
    return crm.get(f"/webhooks/{hook['id']}/deliveries").json()["items"]


def test_delivery_is_signed_and_carries_the_trace(crm: httpx.Client, hook: dict[str, Any], receiver: Receiver) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    made = crm.post("/opportunities", json=DEAL, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}).json()
    got = receiver.wait_for(1)[0]
    assert Webhook(SECRET).verify(got.body, got.headers)["data"] == made
    assert got.json["type"] == "crm.opportunity.created"
    assert got.headers["traceparent"].split("-")[1] == trace
    wait_until(lambda: deliveries(crm, hook)[0]["state"] == "delivered")


def test_delivery_is_retried_with_the_same_id_until_taken(
    crm: httpx.Client, hook: dict[str, Any], receiver: Receiver
) -> None:
    receiver.answers = [500, 429, 302, 400, 204]
    crm.post("/opportunities", json=DEAL)
    got = receiver.wait_for(5)
    assert len({item.headers["webhook-id"] for item in got}) == 1
    assert len({item.body for item in got}) == 1
    wait_until(lambda: deliveries(crm, hook)[0]["state"] == "delivered")
    assert deliveries(crm, hook)[0]["attempts"] == 5


def test_gone_disables_the_subscription(crm: httpx.Client, hook: dict[str, Any], receiver: Receiver) -> None:
    receiver.answers = [410]
    crm.post("/opportunities", json=DEAL)
    wait_until(lambda: crm.get(f"/webhooks/{hook['id']}").json()["state"] == "disabled")
    assert deliveries(crm, hook)[0]["state"] == "abandoned"
    crm.post("/opportunities", json=DEAL)
    assert len(deliveries(crm, hook)) == 1


def test_each_change_raises_the_version_once(crm: httpx.Client, hook: dict[str, Any], receiver: Receiver) -> None:
    made = crm.post("/opportunities", json=DEAL).json()
    won = crm.patch(f"/opportunities/{made['id']}", json={"stage": "Won", "close_date": "2026-03-01"}).json()
    same = crm.patch(f"/opportunities/{made['id']}", json={"stage": "Won"}).json()
    assert (made["version"], won["version"], same) == (1, 2, won)
    types = {item.json["type"]: item.json["data"]["version"] for item in receiver.wait_for(2)}
    assert types == {"crm.opportunity.created": 1, "crm.opportunity.updated": 2}


def test_quote_approval_is_told_once_and_final(crm: httpx.Client, hook: dict[str, Any], receiver: Receiver) -> None:
    account = crm.post("/accounts", json={"name": "Amberley Foundry"}).json()
    line = {"product": "Caliper 100", "quantity": 3, "list_price": "240.00", "unit_price": "216.00"}
    quote = crm.post("/quotes", json={"account_id": account["id"], "currency": "USD", "lines": [line]}).json()
    assert (quote["total"], quote["lines"][0]["discount_pct"], quote["status"]) == ("648.00", "10.00", "draft")
    crm.patch(f"/quotes/{quote['id']}", json={"status": "approved"}).raise_for_status()
    assert crm.patch(f"/quotes/{quote['id']}", json={"status": "draft"}).status_code == 409
    types = sorted(item.json["type"] for item in receiver.wait_for(2))
    assert types == ["crm.account.created", "crm.quote.approved"]


def test_desk_tells_of_tickets_and_comments(desk: httpx.Client, receiver: Receiver) -> None:
    desk.post("/webhooks", json={"url": receiver.url, "secret": SECRET}).raise_for_status()
    ticket = desk.post("/tickets", json={"subject": "Reading drifts", "external_id": "tkt_1"}).json()
    desk.patch(f"/tickets/{ticket['id']}", json={"status": "solved", "assignee": "Owen"}).raise_for_status()
    desk.post(f"/tickets/{ticket['id']}/comments", json={"body": "Replaced."}).raise_for_status()
    types = sorted(item.json["type"] for item in receiver.wait_for(3))
    assert types == ["desk.ticket.created", "desk.ticket.updated", "desk.ticket.updated"]
    comments = desk.get(f"/tickets/{ticket['id']}/comments").json()["items"]
    assert [item["body"] for item in comments] == ["Replaced."]
    found = desk.get("/tickets", params={"external_id": "tkt_1"}).json()["items"]
    assert [item["status"] for item in found] == ["solved"]


def test_duplicate_webhook_comes_twice_with_one_id(
    crm: httpx.Client, hook: dict[str, Any], receiver: Receiver, add_fault: Callable[..., Any]
) -> None:
    add_fault("duplicate_webhook", system="crm", count=1)
    crm.post("/opportunities", json=DEAL)
    got = receiver.wait_for(2)
    assert got[0].headers["webhook-id"] == got[1].headers["webhook-id"]


def test_malformed_webhook_has_a_right_signature(
    crm: httpx.Client, hook: dict[str, Any], receiver: Receiver, add_fault: Callable[..., Any]
) -> None:
    add_fault("malformed_webhook", system="crm", count=1)
    assert crm.post("/opportunities", json=DEAL).status_code == 201
    got = receiver.wait_for(1)[0]
    Webhook(SECRET).verify(got.body, got.headers, json_parse=False)
    with pytest.raises(json.JSONDecodeError):
        json.loads(got.body)


def test_rename_field_shows_in_webhooks(
    crm: httpx.Client, hook: dict[str, Any], receiver: Receiver, add_fault: Callable[..., Any]
) -> None:
    add_fault("rename_field", system="crm", params={"from": "close_value", "to": "amount"})
    crm.post("/opportunities", json=DEAL)
    data = receiver.wait_for(1)[0].json["data"]
    assert (data["amount"], "close_value" in data) == ("240.00", False)


def test_impossible_address_waits_like_any_failure(crm: httpx.Client, control: httpx.Client) -> None:
    control.post("/settings", json={"webhooks": {"retry_base_s": 3600.0, "retry_cap_s": 3600.0}})
    hook = crm.post("/webhooks", json={"url": "http://a..b/", "secret": SECRET}).json()
    crm.post("/opportunities", json=DEAL)
    wait_until(lambda: deliveries(crm, hook)[0]["attempts"] == 1)
    assert deliveries(crm, hook)[0]["last_error"]


def test_delete_webhook_stops_deliveries(crm: httpx.Client, hook: dict[str, Any], receiver: Receiver) -> None:
    assert crm.delete(f"/webhooks/{hook['id']}").status_code == 204
    assert crm.get("/webhooks").json()["items"] == []
    crm.post("/opportunities", json=DEAL)
    assert crm.get(f"/webhooks/{hook['id']}/deliveries").status_code == 404


@pytest.mark.parametrize(
    "change",
    [{"url": "ftp://x/"}, {"url": "http://"}, {"url": "http://x:99999/"}, {"secret": "abc"}, {"secret": "whsec_"}, {"events": ["desk.ticket.created"]}],
)  # fmt: skip
def test_create_webhook_refuses_nonsense(change: dict[str, Any], crm: httpx.Client) -> None:
    answer = crm.post("/webhooks", json={"url": "http://127.0.0.1:9/x", "secret": SECRET, **change})
    assert answer.status_code == 422
