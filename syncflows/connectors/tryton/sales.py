"""Sales as Tryton holds them: found, read, and put into our words. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

from syncflows.connectors.errors import Duplicate, NotFound
from syncflows.connectors.protocol import JSON, Answer
from syncflows.connectors.tryton import coding, windows
from syncflows.connectors.tryton.rpc import Rpc

FIELDS = [
    *(
        "number",
        "reference",
        "state",
        "invoice_state",
        "shipment_state",
        "sale_date",
        "untaxed_amount",
        "tax_amount",
        "total_amount",
    ),
    *("party.code", "party.name", "currency.code", "payment_term.name", "invoices.number", "invoices.state"),
    *("lines.type", "lines.product.code", "lines.quantity", "lines.unit_price", "lines.amount"),
]
# How a sale is named before Tryton gives it a number.
UNNUMBERED = "#"


class State(StrEnum):
    """Tryton's own words."""

    DRAFT = "draft"
    QUOTATION = "quotation"
    CONFIRMED = "confirmed"
    PROCESSING = "processing"
    DONE = "done"
    CANCELLED = "cancelled"


FINISHED = frozenset({State.PROCESSING, State.DONE})


def by_reference(rpc: Rpc, references: Sequence[str]) -> list[JSON]:
    """Sales that carry one of these references, without the cancelled: those are no orders any more."""
    return _search(rpc, [["reference", "in", list(references)], ["state", "!=", State.CANCELLED]])


def cancelled(rpc: Rpc, reference: str) -> list[JSON]:
    return _search(rpc, [["reference", "=", reference], ["state", "=", State.CANCELLED]])


def by_ids(rpc: Rpc, ids: Sequence[int]) -> list[JSON]:
    return [document(item) for item in rpc.read("model.sale.sale.read", list(ids), FIELDS)]


def by_external_id(rpc: Rpc, external_id: str) -> JSON:
    """Raises NotFound."""
    found = _search(rpc, _named(external_id))
    if not found:
        raise NotFound(f"Tryton has no sale {external_id!r}.")
    return found[0]


def one(rpc: Rpc, name: str) -> JSON:
    """The sale of this number or reference, a cancelled one only where no other is. Raises NotFound, Duplicate."""
    found = _search(rpc, ["OR", _named(name), [["reference", "=", name]]])
    living = [item for item in found if item["state"] != State.CANCELLED]
    if not found:
        raise NotFound(f"Tryton has no sale with the number or reference {name!r}.")
    if len(living) > 1:
        raise duplicate(name, living)
    return living[0] if living else found[0]


def window(rpc: Rpc, *, since: dt.datetime, until: dt.datetime) -> Iterator[JSON]:
    """Sales whose sale date lies in the window, page after page; cancelled ones too, as such."""
    for item in windows.pages(rpc, "sale.sale", windows.days("sale_date", since=since, until=until), FIELDS):
        yield document(item)


def answer(found: JSON, *, created: bool) -> Answer:
    """What we tell the engine; `complete` is False for a sale that we have made and not yet carried to the end."""
    return Answer(
        external_id=found["external_id"], document=found, created=created, complete=found["state"] in FINISHED
    )


def duplicate(name: str, found: list[JSON]) -> Duplicate:
    numbers = ", ".join(f"{item['external_id']} ({item['state']})" for item in found)
    return Duplicate(
        f"Tryton has {len(found)} sales for {name!r}: {numbers}. Cancel or return the superfluous one there; nothing was sent.",
        context={"found": found},
    )


def document(item: dict[str, Any]) -> JSON:
    amounts = {name: coding.numeral(item[name]) for name in ("untaxed_amount", "tax_amount", "total_amount")}
    return amounts | {
        "id": item["id"],
        "external_id": item["number"] or f"{UNNUMBERED}{item['id']}",
        "number": item["number"] or "",
        "reference": item["reference"] or "",
        "state": item["state"],
        "invoice_state": item["invoice_state"],
        "shipment_state": item["shipment_state"],
        "customer": item["party."]["code"] or "",
        "customer_name": item["party."]["name"] or "",
        "currency": item["currency."]["code"],
        "payment_term": (item.get("payment_term.") or {}).get("name") or "",
        "sale_date": coding.iso(item["sale_date"]),
        "invoices": [
            {"number": invoice["number"] or "", "state": invoice["state"]} for invoice in item.get("invoices.") or []
        ],
        "lines_total": _lines_total(item),
        "lines": [_line(line) for line in item.get("lines.") or [] if line["type"] == "line"],
    }


def _lines_total(item: dict[str, Any]) -> str:
    """Tryton keeps a processed sale's amounts as they were; a line that somebody alters later shows only here."""
    return coding.numeral(
        sum(
            (
                line["amount"]
                for line in item.get("lines.") or []
                if line["type"] == "line" and line["amount"] is not None
            ),
            Decimal(0),
        )
    )


def _line(line: dict[str, Any]) -> JSON:
    return {
        "sku": (line.get("product.") or {}).get("code") or "",
        "quantity": coding.numeral(line["quantity"]),
        "unit_price": coding.numeral(line["unit_price"]),
        "amount": coding.numeral(line["amount"]),
    }


def _named(external_id: str) -> list[Any]:
    row = external_id.removeprefix(UNNUMBERED)
    return (
        [["id", "=", int(row)]]
        if external_id.startswith(UNNUMBERED) and row.isdigit()
        else [["number", "=", external_id]]
    )


def _search(rpc: Rpc, domain: list[Any]) -> list[JSON]:
    return [document(item) for item in rpc.search("sale.sale", domain, FIELDS)]
