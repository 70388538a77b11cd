"""Deals whose documents are staged: the same small company with `commit: soft`, gates, and history brought as a staged import."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from meshline.kernel import actors
from ownership.models import User
from syncflows.engine import batch, ingest
from syncflows.engine.arrivals import Arrival
from syncflows.engine.models import Run
from syncflows.engine.soft import batches, comparing, gating
from syncflows.engine.soft.models import StagedDocument
from syncflows.governance import apply, catalog, files
from tests.integration.engine import deals

DANA = actors.Actor("user", "usr_dana", "Dana")
RECONCILE = """
  reconcile:
    system: erp
    operation: list_orders
    key: item.external_id
    ours: order.external_id
    amount: item.total
    currency: item.currency
    window_days: 3650
    fields:
      - {name: total, ours: order.total, theirs: item.total, tolerance: "0.00"}
      - {name: notes, ours: order.notes, theirs: "default(item, 'notes', '')"}
"""
LIST = """
    list_orders:
      method: GET
      path: /orders
      items: answer.items
"""


def define(url: str, *, commit: str = "soft", promotion: str = "", **how: Any) -> None:
    """The deals flow with this commit; `promotion` in YAML flow style."""
    text = deals.DEFINITIONS.replace("@URL@", url).replace("@READ_S@", "1").replace("@SETTLE_S@", "0.2")
    text = text.replace("@ATTEMPTS@", "6").replace("@ON_CHANGE@", how.get("on_change", "duplicate"))
    text = text.replace(
        "metadata: {name: deals}\nspec:\n",
        "metadata: {name: deals}\nspec:\n  commit: "
        + commit
        + "\n"
        + (f"  promotion: {promotion}\n" if promotion else ""),
    )
    text = text.replace(
        "\n---\napiVersion: meshline/v1\nkind: Contract", LIST + "---\napiVersion: meshline/v1\nkind: Contract", 1
    )
    text = text.replace(
        "\n---\napiVersion: meshline/v1\nkind: Person", RECONCILE + "---\napiVersion: meshline/v1\nkind: Person", 1
    )
    text = text.replace("{name: order-mapping}", "{name: order-mapping}")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deals.yaml").write_text(text)
        summary = apply.apply(files.load(Path(folder)), by=actors.system("tests"))
    assert not summary.problems, summary.problems


def send(
    *numbers: int, customer_id: str, batch: str = "", amount: Decimal = Decimal("100.00"), **values: Any
) -> list[Run]:
    """Accept deals, carry them to rest, and return their runs."""
    arrivals = [
        Arrival(
            source="crm", type="deal.changed", batch=batch,
            payload={"deal_id": f"D{number}", "customer_id": customer_id, "amount": amount, **values},
        )
        for number in numbers
    ]  # fmt: skip
    if batch:
        batches.begin(batch, by=DANA)
    ids = [receipt.public_id for receipt in ingest.accept(arrivals, catalog=catalog.current())]
    drain()
    found = {run.event.public_id: run for run in Run.objects.select_related("event").filter(event__public_id__in=ids)}
    return [found[ident] for ident in ids]


def drain() -> None:
    """Carry what is due now, and take up what was promoted meanwhile."""
    while batch.work() or gating.take_up():
        pass


def staged(*runs: Run) -> list[StagedDocument]:
    rows = StagedDocument.objects.select_related("run__event", "approved_by").filter(run__in=runs).order_by("pk")
    return list(rows)


def compare(rows: Iterable[StagedDocument]) -> dict[str, str]:
    """Reference to verdict."""
    found = list(rows)
    verdicts, errors = comparing.compare(found, by=DANA)
    assert not errors, errors
    return {row.reference: verdicts[row.pk] for row in found if row.pk in verdicts}


def order(url: str, number: int, *, customer_id: str, total: str = "100.00") -> str:
    """An order that somebody entered in the ERP by hand; its number there."""
    body = {
        "external_id": f"D{number}", "customer_id": customer_id, "currency": "USD", "order_date": "2026-11-20", "total": total, "notes": "",
        "lines": [{"sku": "SKU-1", "quantity": "1", "unit_price": total}],
    }  # fmt: skip
    headers = {"Authorization": "Bearer erp-demo-token"}
    answer = httpx.post(f"{url}/erp/orders", json=body, headers=headers, trust_env=False)
    answer.raise_for_status()
    return str(answer.json()["number"])


def ids(rows: Iterable[StagedDocument]) -> list[int]:
    return [row.pk for row in rows]


def member(*teams: str) -> User:
    return User.objects.get(username="sam", teams__name__in=teams or ["sales-leaders"])
