"""Pages neither repeat nor lose a row while others arrive."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meshline.kernel.actors import system
from ownership import tokens
from ownership.enums import Scope
from reconciliation.enums import DiscrepancyKind
from reconciliation.models import Discrepancy, ReconciliationRun
from syncflows.engine import lineage
from syncflows.engine.enums import FactKind
from tests.factories import people, records
from tests.factories import tickets as make
from tests.functional.api.conftest import Api


def test_pages_are_stable_while_rows_arrive(api: Api) -> None:
    known = [make.ticket().public_id for _ in range(7)]
    client, seen, address = api("tickets:read"), [], "tickets/?limit=2"
    while address:
        page = client.get(address).json()
        seen += [row["id"] for row in page["results"]]
        make.ticket()
        address = page["next"]
    assert seen == list(reversed(known))


def test_pages_lead_back_and_the_cursor_stands_alone(api: Api) -> None:
    known = [records.run().public_id for _ in range(5)]
    client = api("events:read")
    first = client.get("runs/", params={"limit": 2}).json()
    second = client.get("runs/", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["id"] for row in second["results"]] == [known[2], known[1]]
    assert client.get(second["previous"]).json()["results"] == first["results"]
    assert first["previous"] is None
    last = client.get(second["next"]).json()
    assert (last["next"], last["next_cursor"], len(last["results"])) == (None, None, 1)


def test_filters_stay_on_the_next_page(api: Api) -> None:
    for _ in range(3):
        make.ticket()
    make.acceptable()
    client = api("tickets:read")
    page = client.get("tickets/", params={"class": "data_quality", "limit": 2}).json()
    assert [row["class"] for row in client.get(page["next"]).json()["results"]] == ["data_quality"]


def test_lineage_is_told_in_its_order(api: Api) -> None:
    run = records.run()
    lineage.write([lineage.of_run(run, FactKind.RETRY, f"fact {number}") for number in range(4)])
    client = api("events:read")
    page = client.get(f"runs/{run.public_id}/lineage/", params={"limit": 3}).json()
    rest = client.get(page["next"]).json()
    assert [fact["summary"] for fact in page["results"] + rest["results"]] == [f"fact {number}" for number in range(4)]
    shown = client.get(f"runs/{run.public_id}/").json()
    assert (shown["money"], len(shown["lineage"])) == ({"amount": "100.00", "currency": "EUR"}, 4)


def test_trace_finds_by_key_and_by_public_id(api: Api) -> None:
    run, client = records.run(), api("events:read")
    for key in (run.canonical_key, run.correlation_id, run.public_id, run.event.public_id):
        [match] = client.get("trace/", params={"key": key}).json()["matches"]
        assert (match["event"]["id"], match["runs"][0]["id"]) == (run.event.public_id, run.public_id)
    assert client.get("trace/", params={"key": "unheard-of"}).json()["matches"] == []


def _discrepancy() -> None:
    at = {"window_from": "2026-01-01", "window_to": "2026-01-31", "started_at": "2026-02-01T00:00:00Z"}
    run = ReconciliationRun.objects.create(flow="orders", system="erp", started_by="Alice", **at)
    Discrepancy.objects.create(
        flow="orders", system="erp", key=run.public_id, kind=DiscrepancyKind.DIFFERS, first_seen=run, last_seen=run, ticket=make.ticket()
    )  # fmt: skip


# Address, and its queries with the two that check the token (one reads it, one notes its use) and the page itself.
LISTS = {
    "tickets/": 3,
    "approvals/": 3,
    "runs/": 3,
    "events/": 3,
    "flows/": 3,
    "contracts/": 3,
    "owners/": 3,
    "systems/": 3,
    "reconciliation/runs/": 3,
    "reconciliation/discrepancies/": 3,
}


@pytest.mark.django_db
def test_lists_take_the_same_number_of_queries_at_any_length(client: Any) -> None:
    _, secret = tokens.create(name="desk", scopes=Scope.values, by=system("tests"))
    headers = {"Authorization": f"Bearer {secret}"}
    for _ in range(4):
        make.approval(people.bob())
        _discrepancy()
    people.owner("orders", "sync_owner", person=people.alice(), team=make.team_of())
    client.get("/api/v1/tickets/", headers=headers)  # notes the token's use; the next minute's calls do not
    found = {path: _queries(client, path, headers) for path in LISTS}
    assert found == {path: number - 1 for path, number in LISTS.items()}


def _queries(client: Any, path: str, headers: dict[str, str]) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/api/v1/{path}", headers=headers).status_code == 200
    return len(queries)


@pytest.mark.django_db
def test_a_discrepancy_shows_both_sides(client: Any) -> None:
    _, secret = tokens.create(name="desk", scopes=["reconciliation:read"], by=system("tests"))
    _discrepancy()
    found = Discrepancy.objects.get()
    shown = client.get(
        f"/api/v1/reconciliation/discrepancies/{found.public_id}/", headers={"Authorization": f"Bearer {secret}"}
    ).json()
    assert (shown["kind"], shown["ours"], shown["ticket"]) == ("differs", None, found.ticket.public_id)
