"""A company whose deals become customer, order, invoice, entitlement and a number in the CRM; all of it can be taken back. Definitions as a user writes them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import httpx

from meshline.kernel import actors
from syncflows.engine import batch, ingest, sweeping
from syncflows.engine.arrivals import Arrival
from syncflows.engine.models import Event, Run
from syncflows.governance import apply, catalog, files
from tests import polling

TOKENS = {"erp": "erp-demo-token", "desk": "desk-demo-token", "crm": "crm-demo-token"}
DEFINITIONS = """
apiVersion: meshline/v1
kind: System
metadata: {name: shop}
spec: {connector: http}
---
apiVersion: meshline/v1
kind: System
metadata: {name: erp}
spec:
  connector: http
  base_url: "@URL@/erp"
  auth: {type: bearer, token: {env: HALVES_ERP_TOKEN, default: erp-demo-token}}
  timeouts: {connect_s: 2, read_s: @READ_S@, settle_s: @SETTLE_S@}
  retry: {base_s: 0.05, factor: 2, cap_s: 0.2, max_attempts: @ATTEMPTS@}
  operations:
    create-customer:
      method: POST
      path: /customers
      external_id: answer.id
      find: {path: /customers, query: {external_id: "{reference}"}, external_id: item.id}
    create-order:
      method: POST
      path: /orders
      external_id: answer.number
      find: {path: /orders, query: {external_id: "{reference}"}, external_id: item.number, match: item.status != 'cancelled'}
    cancel-order:
      method: POST
      path: "/orders/{external_id}/cancel"
      undoes: create-order
      external_id: answer.number
      find: {path: /orders, query: {external_id: "{reference}"}, external_id: item.number, match: item.status == 'cancelled'}
      errors: [{when: "status == 409 && answer.error.code == 'order_cancelled'", raises: duplicate}]
    create-invoice:
      method: POST
      path: /invoices
      external_id: answer.number
      find: {path: /invoices, query: {external_id: "{reference}"}, external_id: item.number, match: item.status != 'cancelled'}
    cancel-invoice:
      method: POST
      path: "/invoices/{external_id}/cancel"
      undoes: create-invoice
      external_id: answer.number
      find: {path: /invoices, query: {external_id: "{reference}"}, external_id: item.number, match: item.status == 'cancelled'}
      errors: [{when: "status == 409 && answer.error.code == 'invoice_status'", raises: duplicate}]
---
apiVersion: meshline/v1
kind: System
metadata: {name: desk}
spec:
  connector: http
  base_url: "@URL@/desk"
  auth: {type: bearer, token: {env: HALVES_DESK_TOKEN, default: desk-demo-token}}
  timeouts: {connect_s: 2, read_s: @READ_S@, settle_s: @SETTLE_S@}
  retry: {base_s: 0.05, factor: 2, cap_s: 0.2, max_attempts: @ATTEMPTS@}
  operations:
    create-entitlement:
      method: POST
      path: /entitlements
      external_id: answer.id
      find: {path: /entitlements, query: {external_id: "{reference}"}, external_id: item.id}
    remove-entitlement: {method: DELETE, path: "/entitlements/{external_id}", undoes: create-entitlement}
    open-ticket:
      method: POST
      path: /tickets
      external_id: answer.id
      find: {path: /tickets, query: {external_id: "{reference}"}, external_id: item.id, match: item.external_id == reference}
---
apiVersion: meshline/v1
kind: Contract
metadata: {name: deal}
spec:
  version: 1.0.0
  system: shop
  types: [deal.won]
  object: deal
  read: {amount: decimal}
  key: payload.deal_id
  sequence: default(payload, 'changed', '')
  schema: {type: object, required: [deal_id, amount]}
---
apiVersion: meshline/v1
kind: Mapping
metadata: {name: deal-order}
spec:
  contract: deal
  object: order
  fields: {number: payload.deal_id, total: "money(payload.amount, 'USD')", notes: "default(payload, 'notes', '')"}
  amount: order.total
  currency: "'USD'"
  customer: "'Acme'"
  business_date: "'2026-11-20'"
---
apiVersion: meshline/v1
kind: Flow
metadata: {name: deals}
spec:
  trigger: {contract: deal}
  mapping: deal-order
  on_partial: @ON_PARTIAL@
  steps:
    - name: customer
      system: erp
      operation: create-customer
      look_first: true
      on_change: ignore
      reference: "'C-1'"
      document: {external_id: "'C-1'", name: "'Acme'"}
    - name: order
      system: erp
      operation: create-order
      main: true
      reference: order.number
      document:
        external_id: order.number
        customer_id: steps['customer'].external_id
        currency: "'USD'"
        order_date: "'2026-11-20'"
        lines: [{sku: "'SKU-1'", quantity: "'1'", unit_price: order.total}]
        total: order.total
        notes: order.notes
      undo: {operation: cancel-order}
    - name: invoice
      system: erp
      operation: create-invoice
      reference: order.number
      document: {external_id: order.number, order_number: "steps['order'].external_id", currency: "'USD'", total: order.total, invoice_date: "'2026-11-20'"}
      undo: {operation: cancel-invoice}
    - name: entitlement
      system: desk
      operation: create-entitlement
      reference: order.number
      document: {external_id: order.number, order_number: "steps['order'].external_id", customer: "'Acme'", product: "'SKU-1'", starts_on: "'2026-11-20'"}
      undo: {operation: remove-entitlement}
    - name: tell
      system: desk
      operation: open-ticket
      required: @REQUIRED@
      reference: order.number
      document: {external_id: order.number, subject: "'Order ' + steps['order'].external_id"}
---
apiVersion: meshline/v1
kind: Team
metadata: {name: finance, title: Finance}
spec: {members: [ada], on_call: ada}
---
apiVersion: meshline/v1
kind: Person
metadata: {name: ada}
spec: {name: Ada Ames, role: finance_ops}
---
apiVersion: meshline/v1
kind: Route
metadata: {name: default}
spec: {rules: [{name: rest, when: "true", queue: finance, owner: "person:ada"}]}
"""


def define(
    url: str,
    *,
    compensate: bool = True,
    required: bool = True,
    read_s: float = 0.5,
    settle_s: float = 0.3,
    attempts: int = 4,
) -> None:
    """Apply the definitions against the sandbox at `url`."""
    text = DEFINITIONS
    for name, value in {
        "@URL@": url, "@READ_S@": read_s, "@SETTLE_S@": settle_s, "@ATTEMPTS@": attempts, "@ON_PARTIAL@": "compensate" if compensate else "park",
        "@REQUIRED@": str(required).lower(),
    }.items():  # fmt: skip
        text = text.replace(name, str(value))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "halves.yaml").write_text(text)
        summary = apply.apply(files.load(Path(folder)), by=actors.system("tests"))
    assert not summary.problems, summary.problems


def win(*numbers: int, **values: Any) -> list[Run]:
    """A won deal for each number, as the run that carries it."""
    arrivals = [
        Arrival(source="shop", type="deal.won", payload={"deal_id": f"D{number}", "amount": "100.00", **values})
        for number in numbers
    ]
    receipts = ingest.accept(arrivals, catalog=catalog.current())
    events = {
        event.public_id: event
        for event in Event.objects.filter(public_id__in=[receipt.public_id for receipt in receipts])
    }
    return [Run.objects.select_related("event").get(event=events[receipt.public_id]) for receipt in receipts]


def carry(run: Run, *, until: str, timeout_s: float = 15) -> Run:
    """Work until the run has that status."""

    def arrived() -> bool:
        sweeping.sweep()
        batch.work()
        run.refresh_from_db()
        return run.status == until

    polling.until(arrived, timeout_s=timeout_s, what=lambda: f"{run.status}: {run.status_reason}")
    return run


def refuse(url: str, system: str, path: str, *, status: int = 422, **values: Any) -> None:
    """The system answers that to every POST (or another method) below the path."""
    fault(url, system, "status", path, params={"status": status}, **values)


def fault(url: str, system: str, kind: str, path: str, *, method: str = "POST", **values: Any) -> None:
    body = {"system": system, "kind": kind, "method": method, "path_prefix": path, **values}
    httpx.post(f"{url}/_control/faults", json=body, trust_env=False).raise_for_status()


def mend(url: str) -> None:
    httpx.delete(f"{url}/_control/faults", trust_env=False).raise_for_status()


def books(url: str, system: str, entity: str) -> list[dict[str, Any]]:
    """What a system holds, whatever its state."""
    headers = {"Authorization": f"Bearer {TOKENS[system]}"}
    answer = httpx.get(f"{url}/{system}/{entity}", params={"limit": 500}, headers=headers, trust_env=False)
    return list(answer.json()["items"])
