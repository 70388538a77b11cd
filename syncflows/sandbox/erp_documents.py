"""The ERP's orders and invoices. Numbers are given in order; the same POST twice makes two documents."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from syncflows.sandbox import documents
from syncflows.sandbox.documents import CUSTOMERS, INVOICES, ORDERS, Body
from syncflows.sandbox.enums import InvoiceStatus, OrderStatus
from syncflows.sandbox.errors import conflict, invalid
from syncflows.sandbox.exchange import Answer, Call
from syncflows.sandbox.fields import Currency, Input, IsoDate, LongText, Money, Quantity, Reference, format_money
from syncflows.sandbox.lists import CHANGED, Filters, answer_page
from syncflows.sandbox.resources import find, merge, save_change, stamp

CREATED: Filters = {"created_from": ("created_at", ">="), "created_to": ("created_at", "<")}
ORDER_FILTERS: Filters = {
    **CHANGED,
    **CREATED,
    "external_id": ("external_id", "="),
    "customer_id": ("parent", "="),
    "status": ("status", "="),
    "order_date_from": ("on_date", ">="),
    "order_date_to": ("on_date", "<="),
}
INVOICE_FILTERS: Filters = {
    **CHANGED,
    **CREATED,
    "external_id": ("external_id", "="),
    "order_number": ("parent", "="),
    "status": ("status", "="),
    "invoice_date_from": ("on_date", ">="),
    "invoice_date_to": ("on_date", "<="),
}


class OrderLine(Input):
    sku: Reference
    quantity: Quantity
    unit_price: Money
    list_price: Money | None = None


class OrderIn(Input):
    external_id: Reference | None = None
    customer_id: Reference
    currency: Currency
    order_date: IsoDate
    lines: Annotated[list[OrderLine], Field(min_length=1, max_length=1000)]
    total: Money
    notes: LongText | None = None


class InvoiceIn(Input):
    order_number: Reference
    external_id: Reference | None = None
    currency: Currency
    total: Money
    invoice_date: IsoDate


def create_order(call: Call) -> Answer:
    shape = _shape_order(call, call.read(OrderIn))
    number = f"SO-{call.store.next_number('orders'):06d}"
    body = {"number": number, "id": documents.new_id("ord"), **shape, "status": OrderStatus.OPEN}
    return Answer(201, documents.add(call.store, ORDERS, stamp(call, body)))


def change_order(call: Call) -> Answer:
    """Raises ApiError 409 for a cancelled order."""
    current = find(call, ORDERS)
    _refuse_cancelled(current)
    editable = {**current, "lines": [_editable_line(line) for line in current["lines"]]}
    after = save_change(call, ORDERS, current, _shape_order(call, merge(call, OrderIn, editable)))
    return Answer(200, after or current)


def cancel_order(call: Call) -> Answer:
    """Raises ApiError 409 when it is cancelled already."""
    current = find(call, ORDERS)
    _refuse_cancelled(current)
    return Answer(200, save_change(call, ORDERS, current, {"status": OrderStatus.CANCELLED}))


def create_invoice(call: Call) -> Answer:
    """A second invoice for an order is taken, so that a duplicate shows. Raises ApiError 409 for a closed period."""
    given = call.read(InvoiceIn)
    order = documents.get(call.store, ORDERS, given.order_number)
    if order is None:
        raise invalid(("order_number", f"there is no order {given.order_number!r}"))
    _refuse_cancelled(order)
    if order["currency"] != given.currency:
        raise invalid(("currency", f"order {order['number']} is in {order['currency']}"))
    _refuse_closed_period(call, given.invoice_date)
    number = f"INV-{call.store.next_number('invoices'):06d}"
    shape = {**given.model_dump(), "total": format_money(given.total, given.currency)}
    body = {"number": number, "id": documents.new_id("inv"), **shape, "status": InvoiceStatus.DRAFT}
    return Answer(201, documents.add(call.store, INVOICES, stamp(call, body)))


def post_invoice(call: Call) -> Answer:
    """Draft to posted. Raises ApiError 409 from any other status and for a closed period."""
    current = find(call, INVOICES)
    if current["status"] != InvoiceStatus.DRAFT:
        raise _wrong_status(current, "posted")
    _refuse_closed_period(call, current["invoice_date"])
    return Answer(200, save_change(call, INVOICES, current, {"status": InvoiceStatus.POSTED}))


def cancel_invoice(call: Call) -> Answer:
    current = find(call, INVOICES)
    if current["status"] == InvoiceStatus.CANCELLED:
        raise _wrong_status(current, "cancelled")
    return Answer(200, save_change(call, INVOICES, current, {"status": InvoiceStatus.CANCELLED}))


def _shape_order(call: Call, given: OrderIn) -> Body:
    if documents.get(call.store, CUSTOMERS, given.customer_id) is None:
        raise invalid(("customer_id", f"there is no customer {given.customer_id!r}"))
    due = sum((line.quantity * line.unit_price for line in given.lines), Decimal(0))
    if due != given.total:
        raise invalid(("total", f"is {given.total:f}, but the lines add up to {due:f}"))
    lines = [_shape_line(number, line, given.currency) for number, line in enumerate(given.lines, start=1)]
    return {**given.model_dump(), "lines": lines, "total": format_money(due, given.currency)}


def _shape_line(number: int, line: OrderLine, currency: str) -> Body:
    return {
        "line": number,
        "sku": line.sku,
        "quantity": line.quantity,
        "unit_price": format_money(line.unit_price, currency),
        "list_price": None if line.list_price is None else format_money(line.list_price, currency),
        "amount": format_money(line.quantity * line.unit_price, currency),
    }


def _editable_line(line: Body) -> Body:
    return {name: line[name] for name in OrderLine.model_fields}


def _refuse_cancelled(order: Body) -> None:
    if order["status"] == OrderStatus.CANCELLED:
        raise conflict("order_cancelled", f"Order {order['number']} is cancelled.", number=order["number"])


def _refuse_closed_period(call: Call, day: str) -> None:
    if day[:7] in call.world.settings.erp.closed_periods:
        raise conflict(
            "accounting_period_closed", f"The period {day[:7]} is closed; use a date in an open period.", period=day[:7]
        )


def _wrong_status(invoice: Body, wanted: str) -> Exception:
    message = f"Invoice {invoice['number']} is {invoice['status']} and cannot be {wanted}."
    return conflict("invoice_status", message, number=invoice["number"], status=invoice["status"])


ROUTES = [
    ("POST", "/orders", create_order),
    ("GET", "/orders", lambda call: answer_page(call, ORDERS, ORDER_FILTERS)),
    ("GET", "/orders/{key}", lambda call: Answer(200, find(call, ORDERS))),
    ("PATCH", "/orders/{key}", change_order),
    ("POST", "/orders/{key}/cancel", cancel_order),
    ("POST", "/invoices", create_invoice),
    ("GET", "/invoices", lambda call: answer_page(call, INVOICES, INVOICE_FILTERS)),
    ("GET", "/invoices/{key}", lambda call: Answer(200, find(call, INVOICES))),
    ("POST", "/invoices/{key}/post", post_invoice),
    ("POST", "/invoices/{key}/cancel", cancel_invoice),
]
