"""A small company for engine tests: deals become an order and an invoice in a real sandbox ERP. Definitions as a user writes them."""

from __future__ import annotations

import json
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from django.db import connection

from meshline.kernel import actors
from syncflows.engine import batch, ingest, sweeping
from syncflows.engine.arrivals import Arrival
from syncflows.engine.models import Event, Run
from syncflows.governance import apply, catalog, files
from syncflows.sandbox.server import SandboxServer
from tests import polling

DEFINITIONS = """
apiVersion: meshline/v1
kind: System
metadata: {name: crm, title: CRM}
spec: {connector: http}
---
apiVersion: meshline/v1
kind: System
metadata: {name: erp, title: ERP}
spec:
  connector: http
  base_url: "@URL@/erp"
  auth: {type: bearer, token: {env: DEALS_ERP_TOKEN, default: erp-demo-token}}
  timeouts: {connect_s: 2, read_s: @READ_S@, settle_s: @SETTLE_S@}
  retry: {base_s: 0.1, factor: 2, cap_s: 1, max_attempts: @ATTEMPTS@}
  operations:
    create_order:
      method: POST
      path: /orders
      body: document
      external_id: answer.number
      find: {path: /orders, query: {external_id: "{reference}"}, external_id: item.number}
    update_order:
      method: PATCH
      path: "/orders/{external_id}"
      body: "{'notes': document.notes}"
      external_id: answer.number
      find: {path: /orders, query: {external_id: "{reference}"}, external_id: item.number}
    create_invoice:
      method: POST
      path: /invoices
      body: document
      external_id: answer.number
      find: {path: /invoices, query: {external_id: "{reference}"}, external_id: item.number}
---
apiVersion: meshline/v1
kind: Contract
metadata: {name: crm-deal}
spec:
  version: 1.0.0
  system: crm
  types: [deal.changed]
  object: deal
  read: {amount: decimal}
  key: payload.deal_id
  sequence: default(payload, 'changed', '')
  schema: {type: object, required: [deal_id, customer_id, amount], properties: {stage: {enum: [won, open]}}}
---
apiVersion: meshline/v1
kind: Mapping
metadata: {name: deal-order}
spec:
  contract: crm-deal
  object: order
  fields:
    external_id: payload.deal_id
    total: money(payload.amount, 'USD')
    list_total: money(default(payload, 'list', payload.amount), 'USD')
    notes: default(payload, 'notes', '')
  amount: order.total
  currency: "'USD'"
  customer: payload.customer_id
  requester: default(payload, 'agent', '')
---
apiVersion: meshline/v1
kind: Policy
metadata: {name: discounts}
spec:
  object: order
  rules:
    - name: above-cap
      when: lt(order.total, mul(order.list_total, '0.9'))
      verdict: needs_approval
      reason: discount_above_cap
      message: "'Discount above the cap on ' + order.external_id"
      inputs: {total: order.total, list: order.list_total}
      binds: {total: order.total, list: order.list_total}
      approvers: sales-leaders
---
apiVersion: meshline/v1
kind: Flow
metadata: {name: deals}
spec:
  trigger:
    contract: crm-deal
    ignore: [{when: "default(payload, 'stage', 'won') != 'won'", reason: "'the deal is still open'"}]
  mapping: deal-order
  policies: [discounts]
  steps:
    - name: create-order
      system: erp
      operation: create_order
      reference: order.external_id
      on_change: @ON_CHANGE@
      document:
        external_id: order.external_id
        customer_id: payload.customer_id
        currency: "'USD'"
        order_date: "'2026-11-20'"
        lines: [{sku: "'SKU-1'", quantity: "'1'", unit_price: order.total}]
        total: order.total
        notes: order.notes
    - name: create-invoice
      system: erp
      operation: create_invoice
      when: default(payload, 'invoice', false)
      reference: "'INV-' + order.external_id"
      document:
        external_id: "'INV-' + order.external_id"
        order_number: steps['create-order'].external_id
        currency: "'USD'"
        total: order.total
        invoice_date: default(payload, 'invoice_date', '2026-11-20')
---
apiVersion: meshline/v1
kind: Person
metadata: {name: sam}
spec: {name: Sam Okafor, role: sales_leader}
---
apiVersion: meshline/v1
kind: Team
metadata: {name: sales-leaders, title: Sales leaders}
spec: {members: [sam], on_call: sam}
"""


def define(
    url: str,
    *,
    read_s: float = 1,
    settle_s: float = 0.3,
    attempts: int = 6,
    on_change: str = "duplicate, update: update_order",
) -> None:
    """Apply the definitions against the ERP at `url`."""
    text = DEFINITIONS.replace("@URL@", url).replace("@READ_S@", str(read_s)).replace("@SETTLE_S@", str(settle_s))
    how, _, update = on_change.partition(", update: ")
    text = text.replace("@ATTEMPTS@", str(attempts)).replace(
        "@ON_CHANGE@", how + (f"\n      update: {update}" if update else "")
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deals.yaml").write_text(text)
        summary = apply.apply(files.load(Path(folder)), by=actors.system("tests"))
    assert not summary.problems, summary.problems


def customer(url: str) -> str:
    """A customer in the ERP; its id."""
    answer = httpx.post(
        f"{url}/erp/customers",
        json={"external_id": "C1", "name": "Acme"},
        headers={"Authorization": "Bearer erp-demo-token"},
        trust_env=False,
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def send(*numbers: int, customer_id: str, amount: Decimal = Decimal("100.00"), **values: Any) -> list[Event]:
    """Accept a deal for each number."""
    arrivals = [
        Arrival(
            source="crm",
            type="deal.changed",
            payload={"deal_id": f"D{number}", "customer_id": customer_id, "amount": amount, **values},
        )
        for number in numbers
    ]
    receipts = ingest.accept(arrivals, catalog=catalog.current())
    accepted = Event.objects.filter(public_id__in=[receipt.public_id for receipt in receipts])
    found = {event.public_id: event for event in accepted}
    return [found[receipt.public_id] for receipt in receipts]


def run_of(event: Event) -> Run:
    return Run.objects.select_related("event").get(event=event)


def carry(*, until: str, run: Run, timeout_s: float = 15) -> Run:
    """Work until the run has that status."""

    def arrived() -> bool:
        sweeping.sweep()
        batch.work()
        run.refresh_from_db()
        return run.status == until

    polling.until(arrived, timeout_s=timeout_s, what=lambda: f"{run.status}: {run.status_reason}")
    return run


def orders(server: SandboxServer | str) -> list[dict[str, Any]]:
    """Every order in the ERP's own books."""
    url = server if isinstance(server, str) else server.url
    text = httpx.get(
        f"{url}/_control/ledger", params={"entity": "orders", "full": "1"}, timeout=30, trust_env=False
    ).text

    return [json.loads(line) for line in text.splitlines() if line.strip()]


def ledger(url: str, entity: str = "orders") -> dict[str, Any]:
    """The ERP's own sums."""
    found: dict[str, Any] = httpx.get(
        f"{url}/_control/ledger", params={"entity": entity}, timeout=30, trust_env=False
    ).json()
    return found


def fault(url: str, kind: str, **values: Any) -> None:
    httpx.post(
        f"{url}/_control/faults", json={"system": "erp", "kind": kind, **values}, trust_env=False
    ).raise_for_status()


def database_url() -> str:
    """This test's database, for processes of their own."""
    settings = connection.settings_dict
    host = settings.get("HOST") or settings["OPTIONS"].get("host", "")
    return f"postgresql://{settings['USER'] or 'postgres'}@/{quote(settings['NAME'])}?host={quote(str(host), safe='')}"


def environment(**values: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database_url(), **values}
