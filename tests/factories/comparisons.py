"""Orders of a small company, delivered by the real engine into a real sandbox ERP, with the rule that compares them."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from meshline.kernel import actors
from reconciliation import runs
from reconciliation.models import ReconciliationRun
from syncflows.engine import batch, ingest
from syncflows.engine.arrivals import Arrival
from syncflows.governance import apply, catalog, files

FLOW = "deals"
TODAY = date(2026, 11, 20)
TESTER = actors.system("tests")
TOKEN = {"Authorization": "Bearer erp-demo-token"}
RULE = """
  reconcile:
    system: erp
    operation: list_orders
    key: item.external_id
    ours: order.external_id
    only: item.status != 'cancelled'
    amount: item.total
    currency: item.currency
    window_days: 30
    fields:
      - {name: total, ours: order.total, theirs: item.total, tolerance: "0.00"}
      - {name: currency, ours: order.currency, theirs: item.currency}
"""
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
  auth: {type: bearer, token: {env: COMPARISONS_ERP_TOKEN, default: erp-demo-token}}
  timeouts: {connect_s: 2, read_s: 2, settle_s: 0.1}
  operations:
    create_order:
      method: POST
      path: /orders
      external_id: answer.number
      find: {path: /orders, query: {external_id: "{reference}"}, external_id: item.number}
    create_invoice:
      method: POST
      path: /invoices
      external_id: answer.number
      find: {path: /invoices, query: {external_id: "{reference}"}, external_id: item.number}
    list_orders:
      method: GET
      path: /orders
      query: {order_date_from: "{since_date}", order_date_to: "{until_date}"}
      items: answer.items
      paging: {type: cursor, param: cursor, next: answer.next_cursor, size: 500, size_param: limit}
  errors:
    - {when: status == 409 && answer.error.code == 'accounting_period_closed', raises: accounting, message: answer.error.message}
---
apiVersion: meshline/v1
kind: Contract
metadata: {name: deal}
spec:
  version: 1.0.0
  system: crm
  types: [deal.won]
  object: order
  key: payload.id
  schema: {type: object, required: [id, customer, amount, day]}
---
apiVersion: meshline/v1
kind: Mapping
metadata: {name: deal-order}
spec:
  contract: deal
  object: order
  fields:
    external_id: "'opp_' + payload.id"
    total: payload.amount
    currency: "'USD'"
    order_date: payload.day
  amount: order.total
  currency: order.currency
  customer: "'Amberley Foundry'"
  business_date: order.order_date
---
apiVersion: meshline/v1
kind: Person
metadata: {name: dana}
spec: {name: Dana Kim, role: finance_ops}
---
apiVersion: meshline/v1
kind: Team
metadata: {name: finance-ops, title: Finance ops}
spec: {members: [dana], on_call: dana}
---
apiVersion: meshline/v1
kind: Owners
metadata: {name: deals}
spec: {flow: deals, sync_owner: {person: dana}, source_owner: {person: dana}, sink_owner: {person: dana, team: finance-ops}, platform_owner: {person: dana}}
---
apiVersion: meshline/v1
kind: Flow
metadata: {name: deals, title: Deals to orders}
spec:
  trigger: {contract: deal}
  mapping: deal-order
  steps:
    - name: create-order
      system: erp
      operation: create_order
      reference: order.external_id
      document:
        external_id: order.external_id
        customer_id: payload.customer
        currency: order.currency
        order_date: default(payload, 'booked', order.order_date)
        lines: [{sku: "'KI-1'", quantity: "1", unit_price: order.total}]
        total: order.total
    - name: create-invoice
      system: erp
      operation: create_invoice
      when: default(payload, 'invoice', false)
      reference: order.external_id
      document:
        external_id: order.external_id
        order_number: steps['create-order'].external_id
        currency: order.currency
        total: order.total
        invoice_date: order.order_date
@RULE@
"""


def define(url: str, *, rule: str = RULE, **changes: str) -> None:
    """Apply the definitions against the ERP at `url`; `changes` replace texts in them."""
    text = DEFINITIONS.replace("@RULE@", rule).replace("@URL@", url)
    for old, new in changes.items():
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deals.yaml").write_text(text)
        summary = apply.apply(files.load(Path(folder)), by=TESTER)
    assert not summary.problems, summary.problems


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/erp", headers=TOKEN, timeout=10, trust_env=False)


def customer(url: str) -> str:
    with client(url) as erp:
        return str(
            erp.post("/customers", json={"external_id": "C1", "name": "Amberley Foundry"})
            .raise_for_status()
            .json()["id"]
        )


def deliver(*idents: str, customer_id: str, amount: str = "100.00", day: str = "2026-11-10", **values: Any) -> None:
    """Won deals, carried to rest by the engine."""
    payloads = ({"id": ident, "customer": customer_id, "amount": amount, "day": day, **values} for ident in idents)
    ingest.accept(
        [Arrival(source="crm", type="deal.won", payload=payload) for payload in payloads], catalog=catalog.current()
    )
    while batch.work():
        pass


def order(
    customer_id: str, reference: str | None, *, amount: str = "100.00", day: str = "2026-11-10"
) -> dict[str, Any]:
    """An order as somebody types it into the ERP by hand."""
    lines = [{"sku": "KI-1", "quantity": 1, "unit_price": amount}]
    return {
        "external_id": reference,
        "customer_id": customer_id,
        "currency": "USD",
        "order_date": day,
        "lines": lines,
        "total": amount,
    }


def compare(**values: Any) -> ReconciliationRun:
    return runs.start(**{"flow": FLOW, "by": TESTER, "today": TODAY, **values})


def counts(run: ReconciliationRun) -> dict[str, int]:
    """What is not zero, of what was compared."""
    names = ("compared", "matched", "missing_in_target", "missing_in_source", "differs", "duplicate", "tickets")
    return {name: getattr(run, name) for name in names if getattr(run, name)}
