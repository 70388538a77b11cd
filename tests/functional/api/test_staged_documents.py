"""The soft ledger over real HTTP: staged by a header, listed, compared, promoted once, in bulk with a dry run; refused with reasons."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ownership.models import Team
from syncflows.engine import tasks
from syncflows.engine.models import Run
from syncflows.engine.soft.models import StagedBatch, StagedBulk, StagedDocument
from tests.functional.api.conftest import Api
from tests.integration.engine import deals, soft_deals
from tests.integration.engine.conftest import customer_id, erp, sandbox

__all__ = ["customer_id", "erp", "sandbox"]


@pytest.fixture
def client(api: Api, erp: str, customer_id: str) -> httpx.Client:
    """Every scope, and member of the approvers."""
    soft_deals.define(erp, commit="direct", promotion="{approved: {team: sales-leaders}, imports: true}")
    return api(team=Team.objects.get(name="sales-leaders"))


def event(number: int, customer_id: str, **values: Any) -> dict[str, Any]:
    data = {"deal_id": f"D{number}", "customer_id": customer_id, "amount": "100.00", **values}
    return {"specversion": "1.0", "id": f"e{number}", "source": "crm", "type": "deal.changed", "data": data}


def send(client: httpx.Client, *numbers: int, customer_id: str, label: str = "h1") -> httpx.Response:
    headers = {"Content-Type": "application/cloudevents-batch+json", "Meshline-Staged": label}
    answer = client.post("events/", json=[event(number, customer_id) for number in numbers], headers=headers)
    soft_deals.drain()
    return answer


def test_events_with_the_header_are_staged_and_written_when_promoted(
    client: httpx.Client, erp: str, customer_id: str
) -> None:
    assert send(client, 1, 2, customer_id=customer_id).status_code == 202
    listed = client.get("staged-documents/", params={"batch": "h1", "status": "staged"}).json()["results"]
    assert [row["reference"] for row in listed] == ["D2", "D1"]
    assert listed[0]["money"] == {"amount": "100.00", "currency": "USD"}
    assert deals.orders(erp) == []
    [told] = client.get("staged-imports/").json()
    assert (told["label"], told["documents"], told["amounts"]) == (
        "h1",
        {"staged": 2},
        [{"amount": "200.00", "currency": "USD"}],
    )

    ident = listed[1]["id"]
    refused = client.post(f"staged-documents/{ident}/promote/", json={"reason": "go"})
    assert (refused.status_code, refused.json()["code"]) == (409, "needs_approval")
    own = client.post(f"staged-documents/{ident}/approve/", json={"reason": "go"})
    assert (own.status_code, own.json()["code"]) == (403, "four_eyes")
    StagedBatch.objects.update(importers=[])
    assert client.post(f"staged-documents/{ident}/approve/", json={"reason": "looked"}).json()["approved_at"]
    key = {"Idempotency-Key": "k1"}
    first = client.post(f"staged-documents/{ident}/promote/", json={"reason": "go"}, headers=key)
    again = client.post(f"staged-documents/{ident}/promote/", json={"reason": "go"}, headers=key)
    soft_deals.drain()

    assert (first.status_code, first.json()["status"]) == (200, "promoting")
    assert again.json() == first.json()
    shown = client.get(f"staged-documents/{ident}/").json()
    assert (shown["status"], shown["external_id"]) == ("promoted", "SO-000001")
    assert {"staged", "decision", "promoted"} <= {fact["kind"] for fact in shown["lineage"]}
    assert len(deals.orders(erp)) == 1


def test_compare_and_revoke(client: httpx.Client, erp: str, customer_id: str) -> None:
    soft_deals.order(erp, 1, customer_id=customer_id, total="90.00")
    send(client, 1, customer_id=customer_id)
    [row] = client.get("staged-documents/").json()["results"]
    seen = client.post(f"staged-documents/{row['id']}/compare/").json()
    assert (seen["verdict"], seen["difference"][0]["name"]) == ("differs", "total")
    assert client.post(f"staged-documents/{row['id']}/revoke/", json={}).status_code in (400, 422)
    gone = client.post(f"staged-documents/{row['id']}/revoke/", json={"reason": "wrong"}).json()
    assert (gone["status"], gone["status_reason"]) == ("revoked", "wrong")
    assert Run.objects.get().status == "cancelled"


def test_bulk_says_first_then_does_then_tells_of_each(client: httpx.Client, erp: str, customer_id: str) -> None:
    send(client, 1, 2, 3, customer_id=customer_id)
    asked = {"action": "revoke", "filter": {"batch": "h1"}, "dry_run": True}
    dry = client.post("staged-documents/bulk/", json=asked).json()
    assert (dry["total"], dry["allowed"], dry["amounts"]) == (3, 3, [{"amount": "300.00", "currency": "USD"}])
    assert {row.status for row in StagedDocument.objects.all()} == {"staged"}

    begun = client.post("staged-documents/bulk/", json={**asked, "dry_run": False, "reason": "a test import"})
    assert begun.status_code == 202
    tasks.carry_staged_bulk(bulk_id=StagedBulk.objects.latest("pk").pk)
    done = client.get(f"staged-documents/bulk/{begun.json()['id']}/").json()
    results = client.get(f"staged-documents/bulk/{begun.json()['id']}/results/").json()["results"]
    assert (done["done"], done["left"], bool(done["ended_at"])) == (3, 0, True)
    assert {item["state"] for item in results} == {"done"}
    assert client.post(f"staged-documents/bulk/{begun.json()['id']}/cancel/").status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {}, {"action": "explode", "ids": ["x"]}, {"action": "promote"}, {"action": "promote", "ids": ["stg_x"], "filter": {}, "reason": "x"},
        {"action": "promote", "ids": [], "reason": "x"}, {"action": "promote", "filter": {"colour": "red"}, "reason": "x"},
        {"action": "promote", "filter": {"status": "\u0000"}, "reason": "x"}, {"action": "promote", "ids": ["stg_nope"], "reason": "x"},
        {"action": "promote", "filter": {"older_than_hours": "NaN"}, "reason": "x"}, [1, 2], "text",
    ],
)  # fmt: skip
def test_a_bulk_act_that_means_nothing_is_refused_and_does_nothing(
    client: httpx.Client, customer_id: str, body: Any
) -> None:
    send(client, 1, customer_id=customer_id)
    answer = client.post("staged-documents/bulk/", json=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert StagedBulk.objects.filter(asked_at__isnull=False).count() == 0


@pytest.mark.parametrize("label", ["", "a b", "<script>", "x" * 200])
def test_a_bad_label_is_refused_and_nothing_is_taken(client: httpx.Client, customer_id: str, label: str) -> None:
    answer = send(client, 1, customer_id=customer_id, label=label)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch_label")
    assert not Run.objects.exists()
