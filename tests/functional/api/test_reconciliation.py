"""Comparisons and discrepancies over the API."""

from __future__ import annotations

from reconciliation.enums import DiscrepancyKind
from reconciliation.models import Discrepancy, ReconciliationRun
from tests.factories import tickets as make
from tests.functional.api.conftest import Api

SCOPES = ("reconciliation:read", "reconciliation:write")


def _discrepancy() -> Discrepancy:
    window = {"window_from": "2026-01-01", "window_to": "2026-01-31", "started_at": "2026-02-01T00:00:00Z"}
    run = ReconciliationRun.objects.create(flow="orders", system="erp", started_by="Alice", **window)
    return Discrepancy.objects.create(
        flow="orders", system="erp", key="deal-1", kind=DiscrepancyKind.DIFFERS, first_seen=run, last_seen=run, ticket=make.ticket(),
        ours={"total": "10.00"}, theirs=[{"total": "11.00"}], amount="1.00", currency="EUR",
    )  # fmt: skip


def test_a_discrepancy_is_found_by_its_run_and_shows_both_sides(api: Api) -> None:
    found, client = _discrepancy(), api("reconciliation:read")
    [run] = client.get("reconciliation/runs/", params={"flow": "orders"}).json()["results"]
    [row] = client.get("reconciliation/discrepancies/", params={"run": run["id"]}).json()["results"]
    assert (row["id"], row["ticket"], row["in_doubt"]) == (
        found.public_id,
        found.ticket.public_id,
        {"amount": "1.00", "currency": "EUR"},
    )
    shown = client.get(f"reconciliation/discrepancies/{row['id']}/").json()
    assert (shown["ours"], shown["theirs"]) == ({"total": "10.00"}, [{"total": "11.00"}])


def test_starting_a_comparison_of_an_unknown_flow_is_refused(api: Api) -> None:
    client = api(*SCOPES)
    answer = client.post("reconciliation/runs/", json={"flow": "nope"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_definition")
    assert client.post("reconciliation/runs/", json={"flow": "nope", "window_days": 0}).status_code == 422
    assert ReconciliationRun.objects.count() == 0


def test_rechecking_what_no_flow_explains_any_more_changes_nothing(api: Api) -> None:
    found, client = _discrepancy(), api(*SCOPES)
    assert client.post(f"reconciliation/discrepancies/{found.public_id}/recheck/").status_code == 404
    found.refresh_from_db()
    assert found.resolved_at is None
