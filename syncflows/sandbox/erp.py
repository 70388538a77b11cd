"""The ERP's master data: customers and the price book. Deliberately not idempotent: two POSTs make two customers."""

from syncflows.sandbox import documents, erp_documents
from syncflows.sandbox.documents import CUSTOMERS, PRICES, Body
from syncflows.sandbox.errors import conflict, invalid
from syncflows.sandbox.exchange import Answer, Call
from syncflows.sandbox.fields import Currency, Input, Money, Reference, Text, format_money
from syncflows.sandbox.lists import CHANGED, Filters, answer_page
from syncflows.sandbox.resources import find, merge, save_change, stamp

CUSTOMER_FILTERS: Filters = {**CHANGED, "external_id": ("external_id", "="), "name": ("name", "=")}


class CustomerIn(Input):
    external_id: Reference | None = None
    name: Text
    country: Text | None = None
    tier: Text | None = None
    credit_limit: Money | None = None
    currency: Currency = "USD"
    tax_id: Text | None = None
    email: Text | None = None


class PriceIn(Input):
    name: Text | None = None
    list_price: Money
    currency: Currency


def create_customer(call: Call) -> Answer:
    """Raises ApiError 409 for a known external_id, in idempotent mode only."""
    given = call.read(CustomerIn)
    if call.world.settings.erp.idempotent and given.external_id:
        _refuse_second(call, given.external_id)
    body = {"id": documents.new_id("cus"), **_shape_customer(given)}
    return Answer(201, documents.add(call.store, CUSTOMERS, stamp(call, body)))


def change_customer(call: Call) -> Answer:
    current = find(call, CUSTOMERS)
    after = save_change(call, CUSTOMERS, current, _shape_customer(merge(call, CustomerIn, current)))
    return Answer(200, after or current)


def put_price(call: Call) -> Answer:
    """201 for a new SKU, 200 for a known one."""
    given, sku = call.read(PriceIn), call.keys["key"]
    if len(sku) > 200:
        raise invalid(("sku", "must be at most 200 characters"))
    current = documents.get(call.store, PRICES, sku)
    body = {"sku": sku, **given.model_dump(), "list_price": format_money(given.list_price, given.currency)}
    if current is None:
        return Answer(201, documents.add(call.store, PRICES, stamp(call, {**body, "name": given.name or sku})))
    after = save_change(call, PRICES, current, {**body, "name": given.name or current["name"]})
    return Answer(200, after or current)


def _shape_customer(given: CustomerIn) -> Body:
    body = given.model_dump()
    if given.credit_limit is not None:
        body["credit_limit"] = format_money(given.credit_limit, given.currency)
    return body


def _refuse_second(call: Call, external_id: str) -> None:
    row = call.store.execute(
        "SELECT key FROM documents WHERE entity = ? AND external_id = ?", (CUSTOMERS.name, external_id)
    ).fetchone()
    if row:
        raise conflict(
            "duplicate_external_id", f"Customer {row['key']} already has external_id {external_id!r}.", id=row["key"]
        )


ROUTES = [
    ("POST", "/customers", create_customer),
    ("GET", "/customers", lambda call: answer_page(call, CUSTOMERS, CUSTOMER_FILTERS)),
    ("GET", "/customers/{key}", lambda call: Answer(200, find(call, CUSTOMERS))),
    ("PATCH", "/customers/{key}", change_customer),
    ("GET", "/price-book", lambda call: answer_page(call, PRICES, {**CHANGED, "name": ("name", "=")})),
    ("GET", "/price-book/{key}", lambda call: Answer(200, find(call, PRICES))),
    ("PUT", "/price-book/{key}", put_price),
    *erp_documents.ROUTES,
]
