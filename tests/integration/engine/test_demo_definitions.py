"""The demo company's definitions at work: the sandbox's own accounts, prices, deals and a quote become what they should in its ERP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshline.kernel import actors
from syncflows.engine import batch, connections, ingest, sweeping
from syncflows.engine.arrivals import Arrival
from syncflows.engine.enums import EventStatus, RunStatus
from syncflows.engine.models import Event, Run
from syncflows.governance import apply, catalog, files
from syncflows.sandbox.server import SandboxServer
from tests import polling

DEFINITIONS = Path(__file__).resolve().parents[3] / "docs" / "examples" / "demo"


@pytest.fixture
def company(sandbox: SandboxServer, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The invented company in the sandbox, and the definitions against it."""
    httpx.post(f"{sandbox.url}/_control/reset", trust_env=False).raise_for_status()
    httpx.post(f"{sandbox.url}/_control/seed", json={"seed": 1}, trust_env=False).raise_for_status()
    for name in ("crm", "erp", "desk"):
        monkeypatch.setenv(f"MESHLINE_SANDBOX_{name.upper()}_URL", f"{sandbox.url}/{name}")
    connections.close_all()
    summary = apply.apply(files.load(DEFINITIONS), by=actors.system("tests"))
    assert (summary.problems, summary.warnings) == ([], [])
    yield sandbox
    connections.close_all()


def call(sandbox: SandboxServer, method: str, path: str, body: Any = None) -> Any:
    token = f"{path.split('/')[1]}-demo-token"
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.request(method, f"{sandbox.url}{path}", json=body, headers=headers, trust_env=False)
    assert answer.is_success, answer.text
    return answer.json()


def items(sandbox: SandboxServer, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(sandbox, "GET", f"{path}?limit=500")["items"]
    return found


def send(source: str, kind: str, payloads: list[dict[str, Any]]) -> None:
    ingest.accept([Arrival(source=source, type=kind, payload=one) for one in payloads], catalog=catalog.current())


def work() -> None:
    """Until nothing is left to do by itself."""

    def rested() -> bool:
        sweeping.sweep()
        batch.work()
        return not Run.objects.filter(status__in=[RunStatus.PENDING, RunStatus.RUNNING, RunStatus.RETRYING]).exists()

    polling.until(rested, timeout_s=60, what=lambda: str(Run.objects.values_list("status", "status_reason")[:5]))


def test_demo_definitions_carry_the_company(company: SandboxServer) -> None:
    customers_before = len(items(company, "/erp/customers"))
    deals = items(company, "/crm/opportunities")
    send("erp", "erp.price.listed", items(company, "/erp/price-book"))
    send("crm", "crm.opportunity.updated", deals)
    work()
    send("crm", "crm.account.updated", items(company, "/crm/accounts"))
    account, price = items(company, "/crm/accounts")[0], items(company, "/erp/price-book")[0]
    line = {
        "product": price["name"],
        "quantity": 2,
        "list_price": price["list_price"],
        "unit_price": price["list_price"],
    }
    body = {"account_id": account["id"], "currency": "USD", "lines": [line], "status": "approved"}
    quote = call(company, "POST", "/crm/quotes", body)
    send("crm", "crm.quote.approved", [quote])
    work()

    assert not Event.objects.exclude(status=EventStatus.ACCEPTED).exists()
    problems = Run.objects.exclude(status__in=[RunStatus.COMPLETED, RunStatus.IGNORED])
    assert [(run.flow, run.canonical_key, run.status_reason) for run in problems] == []
    won = {deal["id"]: deal for deal in deals if deal["stage"] == "Won"}
    orders = {order["external_id"]: order for order in items(company, "/erp/orders")}
    assert set(orders) == {*won, quote["id"]}
    assert all(orders[key]["total"] == deal["close_value"] for key, deal in won.items())
    assert orders[quote["id"]]["total"] == quote["total"]
    invoices = items(company, "/erp/invoices")
    assert sorted(invoice["order_number"] for invoice in invoices) == sorted(
        order["number"] for order in orders.values()
    )
    told = {
        deal["id"]: deal["erp_order_number"] for deal in items(company, "/crm/opportunities") if deal["stage"] == "Won"
    }
    assert told == {key: orders[key]["number"] for key in won}
    customers = items(company, "/erp/customers")
    assert len(customers) == len({one["external_id"] for one in customers}) == 41 > customers_before


def test_demo_definitions_hold_what_a_person_must_decide(company: SandboxServer) -> None:
    send("erp", "erp.price.listed", items(company, "/erp/price-book"))
    send("crm", "crm.account.updated", items(company, "/crm/accounts")[:1])
    account, price = items(company, "/crm/accounts")[0], items(company, "/erp/price-book")[0]
    won = {
        "account_id": account["id"],
        "product": price["name"],
        "quantity": 1,
        "stage": "Won",
        "close_date": "2026-11-20",
    }
    cases = {
        "cheap": {"close_value": "100.00"},
        "dear": {"close_value": "900.00"},
        "odd": {"close_value": "240.01", "quantity": 2},
        "euro": {"close_value": "240.00", "currency": "EUR"},
    }
    made = {name: call(company, "POST", "/crm/opportunities", {**won, **case}) for name, case in cases.items()}
    made["blank"] = {key: value for key, value in made["cheap"].items() if key != "close_value"} | {"id": "opp_blank"}
    send("crm", "crm.opportunity.created", list(made.values()))
    work()

    reasons = {name: Run.objects.get(canonical_key=deal["id"]).status_reason for name, deal in made.items()}
    assert "Discount of" in reasons["cheap"]
    assert "10 % above list" in reasons["dear"]
    assert "The lines add up to" in reasons["odd"]
    assert "The deal is in EUR" in reasons["euro"]
    assert "close_value" in reasons["blank"]
    assert items(company, "/erp/orders") == []


def test_demo_definitions_take_back_a_deal_that_cannot_be_finished(company: SandboxServer) -> None:
    send("erp", "erp.price.listed", items(company, "/erp/price-book"))
    send("crm", "crm.account.updated", items(company, "/crm/accounts")[:1])
    account, price = items(company, "/crm/accounts")[0], items(company, "/erp/price-book")[0]
    fault = {
        "system": "desk",
        "kind": "status",
        "method": "POST",
        "path_prefix": "/entitlements",
        "params": {"status": 422},
    }
    httpx.post(f"{company.url}/_control/faults", json=fault, trust_env=False).raise_for_status()
    won = {
        "account_id": account["id"], "product": price["name"], "quantity": 1, "stage": "Won", "close_date": "2026-11-20", "close_value": price["list_price"],
    }  # fmt: skip
    deal = call(company, "POST", "/crm/opportunities", won)
    send("crm", "crm.opportunity.created", [deal])
    work()

    run = Run.objects.get(canonical_key=deal["id"])
    assert (run.status, run.outcome) == (RunStatus.COMPENSATED, ""), run.status_reason
    assert [order["status"] for order in items(company, "/erp/orders")] == ["cancelled"]
    assert [invoice["status"] for invoice in items(company, "/erp/invoices")] == ["cancelled"]
    assert account["id"] in {customer["external_id"] for customer in items(company, "/erp/customers")}
