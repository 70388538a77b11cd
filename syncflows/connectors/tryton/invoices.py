"""The invoices of a sale: posted, found and read. Tryton makes them when it processes the sale; nothing here does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from syncflows.connectors.errors import Accounting, NotFound, Rejected
from syncflows.connectors.protocol import JSON, Answer, Call
from syncflows.connectors.tryton import coding, documents, sales, windows
from syncflows.connectors.tryton.rpc import Rpc

FIELDS = [
    *("number", "state", "type", "invoice_date", "untaxed_amount", "tax_amount", "total_amount", "amount_to_pay"),
    *("party.code", "party.name", "currency.code", "sales.number", "sales.reference"),
]
# One sale may have several invoices; their numbers together name the posting.
BETWEEN = ", "


class State(StrEnum):
    """Tryton's own words."""

    DRAFT = "draft"
    VALIDATED = "validated"
    POSTED = "posted"
    PAID = "paid"
    CANCELLED = "cancelled"


OPEN = frozenset({State.DRAFT, State.VALIDATED})


def post(rpc: Rpc, call: Call) -> Answer:
    """Posts what is not posted of the sale's invoices. Idempotent: posted ones are the answer. Raises Accounting (closed period), Rejected, NotFound."""
    wanted = documents.read(documents.InvoicePosting, call.document, operation=call.operation)
    sale = sales.one(rpc, wanted.order or call.reference)
    waiting = [item["id"] for item in _of_sale(rpc, sale["id"]) if item["state"] in OPEN]
    if waiting:
        if wanted.invoice_date:
            rpc.write("model.account.invoice.write", waiting, {"invoice_date": wanted.invoice_date})
        rpc.write("model.account.invoice.post", waiting)
    return _posted(rpc, sale, created=bool(waiting))


def find(rpc: Rpc, reference: str) -> list[Answer]:
    """The posting of this order's invoices, if it has happened: as one answer, however many invoices the sale has."""
    try:
        sale = sales.one(rpc, reference)
        return [_posted(rpc, sale, created=False)]
    except (NotFound, Rejected) as error:
        if isinstance(error, Accounting) or error.code == "duplicate":
            raise
        return []


def get(rpc: Rpc, external_id: str) -> JSON:
    """By number, or by numbers as `post` returns them. Raises NotFound."""
    found = _search(rpc, [["number", "in", external_id.split(BETWEEN)], ["type", "=", "out"]])
    if not found:
        raise NotFound(f"Tryton has no invoice {external_id!r}.")
    return found[0] if len(found) == 1 else _together(found)


def window(rpc: Rpc, *, since: dt.datetime, until: dt.datetime) -> Iterator[JSON]:
    """Customers' invoices and credit notes whose invoice date lies in the window."""
    domain = [["type", "=", "out"], *windows.days("invoice_date", since=since, until=until)]
    for item in windows.pages(rpc, "account.invoice", domain, FIELDS):
        yield _document(item)


def _posted(rpc: Rpc, sale: JSON, *, created: bool) -> Answer:
    found = [item for item in _of_sale(rpc, sale["id"]) if item["state"] != State.CANCELLED]
    if not found:
        raise Rejected(
            f"Sale {sale['external_id']} ({sale['state']}) has no invoice in Tryton to post: it is made when the sale is processed, or by hand where its invoice method is manual.",
            code="no_invoice_there",
            context={"found": [sale]},
        )
    waiting = [item for item in found if item["state"] in OPEN]
    if waiting:
        raise Rejected(
            f"Tryton left {len(waiting)} invoices of sale {sale['external_id']} unposted.",
            code="not_posted_there",
            context={"found": found},
        )
    return Answer(
        external_id=BETWEEN.join(item["number"] for item in found),
        document=found[0] if len(found) == 1 else _together(found),
        created=created,
    )


def _of_sale(rpc: Rpc, sale_id: int) -> list[JSON]:
    return _search(rpc, [["sales", "=", sale_id], ["type", "=", "out"]])


def _search(rpc: Rpc, domain: list[Any]) -> list[JSON]:
    return [_document(item) for item in rpc.search("account.invoice", domain, FIELDS)]


def _together(found: list[JSON]) -> JSON:
    return {"number": BETWEEN.join(item["number"] for item in found), "invoices": found}


def _document(item: dict[str, Any]) -> JSON:
    amounts = {
        name: coding.numeral(item[name]) for name in ("untaxed_amount", "tax_amount", "total_amount", "amount_to_pay")
    }
    orders = item.get("sales.") or []
    return amounts | {
        "id": item["id"],
        "number": item["number"] or "",
        "state": item["state"],
        "invoice_date": coding.iso(item["invoice_date"]),
        "customer": item["party."]["code"] or "",
        "customer_name": item["party."]["name"] or "",
        "currency": item["currency."]["code"],
        "orders": [{"number": order["number"] or "", "reference": order["reference"] or ""} for order in orders],
    }
