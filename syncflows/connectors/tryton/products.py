"""Products by SKU: one template with one variant each, so that a catalogue can be loaded."""

from __future__ import annotations

from typing import Any

from syncflows.connectors.protocol import JSON, Answer, Call
from syncflows.connectors.tryton import coded, coding, documents
from syncflows.connectors.tryton.lookups import Lookups
from syncflows.connectors.tryton.rpc import Rpc

FIELDS = ["code", "template.name", "list_price_used", "type", "active", "account_category.name", "default_uom.name"]


def create(rpc: Rpc, lookups: Lookups, call: Call) -> Answer:
    """A product with that SKU, the one that is there or a new one. Raises Rejected, Transient."""
    wanted = documents.read(documents.Product, call.document, operation=call.operation)
    values = _values(rpc, lookups, wanted)

    def send() -> None:
        rpc.write("model.product.template.create", [values])

    return coded.create(wanted.sku, find=lambda code: find(rpc, code), send=send)


def find(rpc: Rpc, sku: str) -> list[JSON]:
    return [
        _document(item)
        for item in rpc.search("product.product", [["code", "=", sku]], FIELDS, context={"active_test": False})
    ]


def _values(rpc: Rpc, lookups: Lookups, wanted: documents.Product) -> JSON:
    unit, category = lookups.unit(wanted.unit), wanted.category or rpc.settings.options.product_category
    values: JSON = {
        "name": wanted.name,
        "type": wanted.type,
        "salable": True,
        "default_uom": unit,
        "sale_uom": unit,
        "list_price": wanted.list_price,
        "products": [["create", [{"suffix_code": wanted.sku}]]],
    }
    return values | ({"account_category": lookups.product_category(category)} if category else {})


def _document(item: dict[str, Any]) -> JSON:
    return {
        "id": str(item["id"]),
        "sku": item["code"],
        "name": (item.get("template.") or {}).get("name") or "",
        "list_price": coding.numeral(item["list_price_used"]),
        "type": item["type"],
        "active": bool(item["active"]),
        "category": (item.get("account_category.") or {}).get("name") or "",
        "unit": (item.get("default_uom.") or {}).get("name") or "",
    }
