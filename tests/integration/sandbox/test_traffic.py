"""The demo's company is the same for the same seed, and its first burst has every kind of trouble in it."""

import io
import random
from typing import Any

import httpx
import pytest

from syncflows.sandbox import catalogue
from syncflows.sandbox.traffic import BURST_CHANGES, BURST_S, Traffic, run, when_due
from syncflows.sandbox.troubles import TROUBLES, misspell
from tests.integration.sandbox.receivers import Receiver


def read_seeded(crm: httpx.Client) -> list[Any]:
    return [crm.get(path, params={"limit": 500}).json()["items"] for path in ("/accounts", "/opportunities")]


def test_seed_is_deterministic_and_idempotent(crm: httpx.Client, erp: httpx.Client, control: httpx.Client) -> None:
    first = control.post("/seed", json={"seed": 7, "today": "2026-06-01"}).json()
    company = read_seeded(crm)
    again = control.post("/seed", json={"seed": 7, "today": "2026-06-01"}).json()
    assert (first["created"]["crm.opportunities"], again["created"]["crm.opportunities"]) == (60, 0)
    control.post("/reset")
    control.post("/seed", json={"seed": 7, "today": "2026-06-01"})
    assert read_seeded(crm) == company
    assert {item["stage"] for item in company[1]} == {"Prospecting", "Engaging", "Won", "Lost"}
    assert all("2026-03-03" <= item["updated_at"][:10] < "2026-06-01" for item in company[1])
    assert 0 < len(erp.get("/customers", params={"limit": 500}).json()["items"]) < len(catalogue.ACCOUNTS)
    assert len(erp.get("/price-book").json()["items"]) == 12


def test_seed_tells_its_history_only_when_asked(
    crm: httpx.Client, control: httpx.Client, hook: dict[str, Any], receiver: Receiver
) -> None:
    control.post("/seed", json={"emit": True}).raise_for_status()
    told = {item.json["data"]["id"] for item in receiver.wait_for(60)}
    assert told == {item["id"] for item in read_seeded(crm)[1]}
    control.post("/reset", json={"keep": ["webhooks"]}).raise_for_status()
    control.post("/seed", json={}).raise_for_status()
    assert crm.get(f"/webhooks/{hook['id']}/deliveries").json()["items"] == []


def test_first_burst_has_every_trouble(
    server: Any, crm: httpx.Client, control: httpx.Client, hook: dict[str, Any], receiver: Receiver
) -> None:
    traffic, out = Traffic(server.url, random.Random(3)), io.StringIO()
    traffic.prepare()
    for number in range(BURST_CHANGES):
        print(traffic.step(number), file=out)
    assert set(TROUBLES) <= set(traffic.done)
    assert sum(traffic.done.values()) == BURST_CHANGES
    kinds = {fault["kind"] for fault in control.get("/faults").json()["items"]}
    assert kinds == {"status", "timeout_after_commit", "expire_credential"}
    assert len(receiver.wait_for(20)) >= 20


def test_run_stops_in_time_and_counts(server: Any, control: httpx.Client) -> None:
    result = run(Traffic(server.url, random.Random(1), faulty=0.0), rate=50, seconds=0.3, out=io.StringIO())
    assert result["changes"] >= 1
    assert not set(result["done"]) & {*TROUBLES, "refused"}


@pytest.mark.parametrize("rate", [0.5, 10.0])
def test_when_due_is_dense_first(rate: float) -> None:
    assert when_due(BURST_CHANGES, rate) <= BURST_S
    assert when_due(BURST_CHANGES + 10, rate) - when_due(BURST_CHANGES, rate) == pytest.approx(10 / rate)


def test_misspell_never_keeps_the_name() -> None:
    for seed in range(50):
        for account in catalogue.ACCOUNTS:
            assert misspell(account.name, random.Random(seed)) != account.name
