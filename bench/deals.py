"""The deals that every contender carries: the same payload, the same order out of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

WARM_UP = 200
SECRET = "whsec_bWVzaGxpbmUtYmVuY2gtd2ViaG9vay1zZWNyZXQh"


def payload(reference: str, number: int) -> dict[str, Any]:
    """A won deal as the CRM sends it; amounts are text, as in JSON that means money."""
    amount = Decimal(100 + number % 900)
    return {
        "deal_id": reference, "customer_id": f"C{number % 50}", "stage": "won", "changed": "2026-11-20T10:00:00Z", "sku": "SKU-1",
        "amount": f"{amount}.00", "list": f"{amount + number % 10}.00", "agent": "robin",
    }  # fmt: skip


def event(reference: str, number: int) -> dict[str, Any]:
    """The webhook's body, in the envelope of Standard Webhooks."""
    return {"type": "deal.changed", "timestamp": "2026-11-20T10:00:00Z", "data": payload(reference, number)}


def order(deal: dict[str, Any]) -> dict[str, Any]:
    """The order of a deal, as a script would write it; the mapping in `definitions/deals` says the same."""
    line = {"sku": deal["sku"], "quantity": "1", "unit_price": deal["amount"]}
    return {
        "external_id": deal["deal_id"], "customer_id": deal["customer_id"], "currency": "USD", "order_date": "2026-11-20", "lines": [line],
        "total": deal["amount"], "notes": f"sold by {deal['agent']}",
    }  # fmt: skip


def references(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]
