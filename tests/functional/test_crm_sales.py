"""The README's main job on real data: a CRM's export becomes ERP orders, decided by people in bulk, explained, reconciled, and never doubled."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command
from django.test import Client

from ownership.models import User
from syncflows.engine import connections, trace
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Event, LineageFact, Run
from syncflows.sandbox.server import SandboxServer

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "crm_sales_opportunities"
DEFINITIONS = ROOT / "docs" / "examples" / "crm_sales"
DATED = ("engage_date", "close_date")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/crm_sales_opportunities is not here"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def erp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with SandboxServer(store=tmp_path / "store.sqlite") as server:
        monkeypatch.setenv("MESHLINE_SANDBOX_ERP_URL", f"{server.url}/erp")
        connections.close_all()
        yield server.url
    connections.close_all()


def run(*args: str) -> dict[str, int]:
    """The last line of a command's output."""
    out = io.StringIO()
    call_command(*args, stdout=out, stderr=io.StringIO())
    found: dict[str, int] = json.loads(out.getvalue().strip().splitlines()[-1])
    return found


def mangled(path: Path, into: Path) -> Path:
    """The same rows as a spreadsheet saves them: M/D/YYYY, LF."""
    rows = list(csv.DictReader(path.open(newline="", encoding="utf-8-sig")))
    for row in rows:
        for name in DATED:
            if row[name]:
                found = date.fromisoformat(row[name])
                row[name] = f"{found.month}/{found.day}/{found.year}"
    with into.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return into


def ledger(url: str) -> dict[str, object]:
    found: dict[str, object] = httpx.get(
        f"{url}/_control/ledger", params={"entity": "orders"}, timeout=60, trust_env=False
    ).json()
    return {name: found[name] for name in ("count", "sum", "duplicates")}


def test_every_won_opportunity_becomes_one_order(erp: str, tmp_path: Path) -> None:
    """The spreadsheet's copy comes first; the original after it, and again, adds nothing."""
    copy = mangled(DATA / "sales_pipeline.csv", tmp_path / "excel.csv")
    run("flows", "apply", str(DEFINITIONS))
    assert run("ingest", str(DATA / "accounts.csv"), "--system", "crm", "--type", "account")["accepted"] == 85
    assert run("ingest", str(DATA / "products.csv"), "--system", "crm", "--type", "product")["accepted"] == 7
    assert run("ingest", str(copy), "--system", "crm", "--type", "opportunity")["accepted"] == 8800

    drained = run("drain")
    resting = {name: drained[name] for name in ("ignored", "held", "ticketed", "remaining")}
    assert resting == {"ignored": 4562, "held": 1312, "ticketed": 0, "remaining": 0}
    assert (
        run("approvals", "grant", "--policy", "sales-discount-cap", "--all", "--by", "sam", "--reason", "price review")[
            "done"
        ]
        == 709
    )
    assert (
        run("tickets", "accept", "--reason-code", "price_above_list", "--by", "dana", "--reason", "agreed")["done"]
        == 603
    )
    run("drain")
    for path in (DATA / "sales_pipeline.csv", copy):
        assert run("ingest", str(path), "--system", "crm", "--type", "opportunity")["duplicate"] == 8800
    run("drain")

    assert ledger(erp) == {"count": 4238, "sum": {"USD": "10005534.00"}, "duplicates": []}
    found = run("reconcile", "sales-orders", "--window-days", "36500")
    assert (found["compared"], found["matched"], found["tickets"]) == (4238, 4238, 0)
    _explained(DATA / "sales_pipeline.csv")
    _pages_work()


PAGES = (
    "/",
    "/queue/",
    "/queue/?view=all",
    "/approvals/",
    "/trace/?q=Cancity",
    "/runs/",
    "/flows/",
    "/flows/sales-orders/",
    "/reconciliation/",
    "/systems/",
    "/systems/erp/",
    "/ownership/",
)


def _pages_work() -> None:
    """Every page answers with all of it in the database."""
    client = Client()
    client.force_login(User.objects.get(username="dana"))
    for page in PAGES:
        assert client.get(page).status_code == 200, page


def _explained(pipeline: Path) -> None:
    """Every opportunity is found by its id, came to an end, and says why."""
    ids = [row["opportunity_id"] for row in csv.DictReader(pipeline.open(newline="", encoding="utf-8-sig"))]
    assert len(ids) == len(set(ids)) == 8800
    assert set(Event.objects.filter(canonical_key__in=ids).values_list("canonical_key", flat=True)) == set(ids)
    ended = Run.objects.filter(canonical_key__in=ids, status__in=[RunStatus.COMPLETED, RunStatus.IGNORED])
    assert ended.count() == 8800
    said = LineageFact.objects.filter(kind__in=["completed", "ignored"], run_id__in=ended.values("id")).values_list(
        "run_id", flat=True
    )
    assert len(set(said)) == 8800
    lost = next(
        row["opportunity_id"]
        for row in csv.DictReader(pipeline.open(newline="", encoding="utf-8-sig"))
        if row["deal_stage"] == "Lost"
    )
    [match] = trace.find(lost).matches
    assert "lost" in match.runs[0].status_reason
