"""A CRM's history on real data: staged, compared with an ERP that has a part of it, adopted, promoted; no order twice, none before anybody said so."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from exceptions.models import Approval, Ticket
from syncflows.engine import connections
from syncflows.engine.models import CanonicalRecord, Run
from syncflows.sandbox.server import SandboxServer

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "crm_sales_opportunities"
DEFINITIONS = ROOT / "docs" / "examples" / "crm_sales"
DEALS, KNOWN, CHANGED = 150, 60, 3
HEADERS = {"Authorization": "Bearer erp-demo-token"}

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


def run(*args: str) -> dict[str, Any]:
    """The last line of a command's output, whether or not it left something as it was."""
    out = io.StringIO()
    try:
        call_command(*args, stdout=out, stderr=io.StringIO())
    except CommandError:
        if not out.getvalue().strip():
            raise
    found: dict[str, Any] = json.loads(out.getvalue().strip().splitlines()[-1])
    return found


def won(into: Path) -> list[dict[str, str]]:
    """The first won deals of the export, in a file of their own."""
    with (DATA / "sales_pipeline.csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.DictReader(stream) if row["deal_stage"] == "Won"][:DEALS]
    with into.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def enter(url: str, row: dict[str, str], *, total: str) -> None:
    """An order as somebody entered it in the ERP years ago."""
    customer = CanonicalRecord.objects.get(object="customer", key=row["account"]).external_ids["erp"]
    body = {
        "external_id": row["opportunity_id"], "customer_id": customer, "currency": "USD", "order_date": row["close_date"], "total": total,
        "lines": [{"sku": row["product"], "quantity": "1", "unit_price": total}],
    }  # fmt: skip
    httpx.post(f"{url}/erp/orders", json=body, headers=HEADERS, trust_env=False).raise_for_status()


def ledger(url: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/_control/ledger", params={"entity": "orders"}, timeout=60, trust_env=False)
    found: dict[str, Any] = answer.json()
    return found


def test_history_goes_through_the_soft_ledger(erp: str, tmp_path: Path) -> None:
    rows = won(tmp_path / "won.csv")
    who = ("--by", "dana", "--reason", "history of 2017")
    run("flows", "apply", str(DEFINITIONS))
    run("ingest", str(DATA / "products.csv"), "--system", "crm", "--type", "product")
    run("ingest", str(DATA / "accounts.csv"), "--system", "crm", "--type", "account", "--staged", "--batch", "accounts")
    run("drain")
    assert run("staged", "promote", "--all", "--batch", "accounts", *who)["done"] == 85
    run("drain")
    for place, row in enumerate(rows[:KNOWN]):
        enter(erp, row, total="1.00" if place < CHANGED else row["close_value"])
    before = ledger(erp)

    told = run("ingest", str(tmp_path / "won.csv"), "--system", "crm", "--type", "opportunity", "--staged", "--batch", "2017", "--by", "robin")  # fmt: skip
    assert told["accepted"] == DEALS
    run("drain")
    assert run("staged", "list", "--batch", "2017", "--status", "staged")["count"] == DEALS
    assert ledger(erp) == before
    assert (Ticket.objects.count(), Approval.objects.count()) == (0, 0)

    assert run("staged", "compare", "--all", "--batch", "2017", "--by", "dana")["done"] == DEALS
    seen = run("staged", "promote", "--all", "--batch", "2017", *who, "--dry-run")
    assert seen["verdicts"] == {"matched": KNOWN - CHANGED, "missing": DEALS - KNOWN, "differs": CHANGED}
    assert seen["refused"] == CHANGED
    assert run("staged", "adopt", "--all", "--batch", "2017", "--verdict", "matched", *who)["done"] == KNOWN - CHANGED
    run("drain")
    assert ledger(erp) == before
    assert run("staged", "promote", "--all", "--batch", "2017", *who)["left"] == CHANGED
    run("drain")

    waiting = set(Run.objects.filter(batch="2017", status="held").exclude(hold_reason="staged").values_list("canonical_key", flat=True))  # fmt: skip
    written = [row for row in rows[KNOWN:] if row["opportunity_id"] not in waiting]
    total = sum((Decimal(row["close_value"]) for row in [*rows[CHANGED:KNOWN], *written]), Decimal(CHANGED))
    after = ledger(erp)
    assert (after["count"], Decimal(after["sum"]["USD"]), after["duplicates"]) == (KNOWN + len(written), total, [])
    assert run("staged", "list", "--batch", "2017", "--status", "staged")["count"] == CHANGED
    again = run("ingest", str(tmp_path / "won.csv"), "--system", "crm", "--type", "opportunity", "--staged", "--batch", "2017")  # fmt: skip
    assert again["duplicate"] == DEALS
    run("drain")
    assert ledger(erp) == after
