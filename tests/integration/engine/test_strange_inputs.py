"""Large and strange payloads, from the door to the ERP: every digit, line and letter arrives, and what cannot be right is refused by name."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meshline.kernel import actors, jsontext
from syncflows.engine import batch, connections, ingest
from syncflows.engine.arrivals import Arrival
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import CanonicalRecord, Run
from syncflows.governance import apply, catalog, files
from tests.servers import scripted

DEFINITIONS = """
apiVersion: meshline/v1
kind: System
metadata: {name: source}
spec: {connector: http}
---
apiVersion: meshline/v1
kind: System
metadata: {name: erp}
spec:
  connector: http
  base_url: "@URL@"
  timeouts: {connect_s: 5, read_s: 20, settle_s: 1}
  operations:
    create_order: {method: POST, path: /orders, guard: idempotency_key, headers: {Idempotency-Key: "{idempotency_key}"}, external_id: answer.number}
---
apiVersion: meshline/v1
kind: Contract
metadata: {name: order}
spec:
  version: 1.0.0
  system: source
  types: [order]
  object: order
  read: {total: decimal}
  key: payload.ref
  schema: {type: object, required: [ref, total, currency]}
---
apiVersion: meshline/v1
kind: Mapping
metadata: {name: order}
spec:
  contract: order
  object: order
  fields:
    ref: payload.ref
    total: money(payload.total, payload.currency)
    customer: default(payload, 'customer', 'nobody')
  amount: order.total
  currency: payload.currency
  customer: order.customer
---
apiVersion: meshline/v1
kind: Flow
metadata: {name: orders}
spec:
  trigger: {contract: order}
  mapping: order
  steps:
    - name: create-order
      system: erp
      operation: create_order
      reference: payload.ref
      document:
        ref: payload.ref
        total: order.total
        currency: payload.currency
        customer: order.customer
        notes: default(payload, 'notes', '')
        lines: default(payload, 'lines', [])
"""


class Erp:
    """What it got, as JSON with exact numbers."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []

    def __call__(self, asked: scripted.Asked) -> bytes:
        self.orders.append(json.loads(asked.body, parse_float=Decimal))
        return scripted.answer(201, json.dumps({"number": f"SO-{len(self.orders)}"}).encode())


@pytest.fixture
def erp(transactional_db: None) -> Iterator[Erp]:
    books = Erp()
    with scripted.serving(books) as server, tempfile.TemporaryDirectory() as folder:
        Path(folder, "orders.yaml").write_text(DEFINITIONS.replace("@URL@", server.url))
        summary = apply.apply(files.load(Path(folder)), by=actors.system("tests"))
        assert not summary.problems, summary.problems
        yield books
        connections.close_all()


def carry(text: str) -> Run:
    """One event, as its JSON text came, to its end."""
    arrival = Arrival(source="source", type="order", payload=jsontext.parse(text))
    [receipt] = ingest.accept([arrival], catalog=catalog.current())
    while batch.work():
        pass
    return Run.objects.get(event__public_id=receipt.public_id)


def order(ref: str, total: str, currency: str, **more: Any) -> str:
    return json.dumps({"ref": ref, "total": total, "currency": currency, **more}, ensure_ascii=False)


def test_order_of_two_thousand_lines_arrives_whole(erp: Erp) -> None:
    lines = [{"sku": f"SKU-{number}", "quantity": str(number), "price": f"{number}.25"} for number in range(2000)]
    run = carry(order("BIG", "1999000.00", "USD", lines=lines))
    assert run.status == RunStatus.COMPLETED, run.status_reason
    assert erp.orders[0]["lines"] == lines


def test_payload_of_five_megabytes_arrives_whole(erp: Erp) -> None:
    notes = "0123456789 ünïcödé " * 250_000
    assert len(notes.encode()) > 5_000_000
    run = carry(order("LONG", "1.00", "USD", notes=notes))
    assert run.status == RunStatus.COMPLETED, run.status_reason
    assert erp.orders[0]["notes"] == notes


@pytest.mark.parametrize(
    ("total", "currency", "booked"),
    [
        (
            "1000000000000000.01",
            "USD",
            "1000000000000000.01",
        ),  # 10^15 and a cent: beyond what a binary float tells apart
        ("999999999999999.99", "EUR", "999999999999999.99"),
        ("0", "USD", "0.00"),
        ("-125.50", "USD", "-125.50"),
        ("1234567", "JPY", "1234567"),
        ("1.234", "KWD", "1.234"),
        ("0.001", "BHD", "0.001"),
    ],
)
def test_amount_keeps_every_digit_in_its_currency(erp: Erp, total: str, currency: str, booked: str) -> None:
    run = carry(order("A", total, currency))
    assert run.status == RunStatus.COMPLETED, run.status_reason
    assert erp.orders[0]["total"] == booked
    record = CanonicalRecord.objects.get()
    assert (record.amount, record.currency) == (Decimal(booked), currency)


def test_number_with_a_point_is_no_binary_float_on_its_way(erp: Erp) -> None:
    run = carry('{"ref": "N", "total": 9007199254740993.07, "currency": "USD"}')
    assert run.status == RunStatus.COMPLETED, run.status_reason
    assert erp.orders[0]["total"] == "9007199254740993.07"


def test_zero_and_negative_lines_stay_as_they_are(erp: Erp) -> None:
    lines = [{"sku": "FREE", "quantity": "1", "price": "0"}, {"sku": "BACK", "quantity": "-2", "price": "10.00"}]
    assert carry(order("Z", "-20.00", "USD", lines=lines)).status == RunStatus.COMPLETED
    assert erp.orders[0]["lines"] == lines


@pytest.mark.parametrize(
    "name",
    [
        "👩🏽‍🚀 & Söhne",
        "شركة النور للتجارة",
        "חברת אור בע״מ",
        "株式会社ほげ",
        "\u202eevil\u202c",
        "<script>alert(1)</script>",
        "Ω≈ç√∫˜µ≤≥÷",
        "a\u0301",
    ],
)
def test_letters_of_the_world_arrive_as_they_were_written(erp: Erp, name: str) -> None:
    run = carry(order("L", "1.00", "USD", customer=name))
    assert run.status == RunStatus.COMPLETED, run.status_reason
    assert erp.orders[0]["customer"] == name
    assert run.customer == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"ref": "X", "total": NaN, "currency": "USD"}', "NaN"),
        ('{"ref": "X", "total": -Infinity, "currency": "USD"}', "Infinity"),
        ('{"ref": "X", "ref": "Y", "total": "1", "currency": "USD"}', "twice"),
    ],
)
def test_what_json_does_not_define_is_refused_by_name(erp: Erp, text: str, why: str) -> None:
    with pytest.raises(jsontext.BadJSON, match=why):
        jsontext.parse(text)
    assert erp.orders == []


@pytest.mark.parametrize("total", ["1e400", "12,50", "NaN", "∞", "0.0000000000001"])
def test_amount_that_cannot_be_booked_is_somebodys_ticket(erp: Erp, total: str) -> None:
    arrival = Arrival(source="source", type="order", payload={"ref": "T", "total": total, "currency": "USD"})
    [receipt] = ingest.accept([arrival], catalog=catalog.current())
    while batch.work():
        pass
    assert receipt.problem is not None or Run.objects.get().status == RunStatus.FAILED
    assert erp.orders == []
