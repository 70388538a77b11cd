"""Calls and documents that the Tryton tests send."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from syncflows.connectors.protocol import Answer, Call, Connector

_numbers = itertools.count(1)


def fresh(prefix: str = "T") -> str:
    """A reference that nobody has used."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}-{next(_numbers)}"


def call(operation: str, reference: str, *, attempt: int = 1, **document: Any) -> Call:
    return Call(
        operation=operation, document=document, reference=reference, idempotency_key=f"key-{reference}", attempt=attempt
    )


def order(
    reference: str,
    *,
    attempt: int = 1,
    customer: str = "C-ACME",
    lines: list[dict[str, Any]] | None = None,
    **more: Any,
) -> Call:
    """49.50 a piece, two of them, on 2017-03-01."""
    body: dict[str, Any] = {
        "external_id": reference,
        "customer_id": customer,
        "currency": "USD",
        "order_date": "2017-03-01",
    }
    body["lines"] = lines or [line("SENS-100", "2", "49.50")]
    return call("create_order", reference, attempt=attempt, **(body | more))


def line(sku: str, quantity: str, unit_price: str | None = None) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity} | ({"unit_price": unit_price} if unit_price else {})


def states(connector: Connector, reference: str) -> list[str]:
    return [found.document["state"] for found in connector.find("create_order", reference=reference)]


def product(connector: Connector, **more: Any) -> Answer:
    sku = fresh("SKU")
    return connector.execute(call("create_product", sku, sku=sku, name=f"Product {sku}", list_price="10.00", **more))
