"""The CRM: accounts, opportunities, quotes. Every change is told by webhook."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from syncflows.sandbox import documents, webhooks
from syncflows.sandbox.documents import ACCOUNTS, OPPORTUNITIES, QUOTES, Body
from syncflows.sandbox.enums import EventType, QuoteStatus, Stage
from syncflows.sandbox.errors import conflict, invalid
from syncflows.sandbox.exchange import Answer, Call
from syncflows.sandbox.fields import Currency, Input, IsoDate, Money, Quantity, Reference, Text, format_money
from syncflows.sandbox.lists import CHANGED, Filters, answer_page
from syncflows.sandbox.resources import find, merge, save_change, stamp

ACCOUNT_FILTERS: Filters = {**CHANGED, "external_id": ("external_id", "="), "name": ("name", "=")}
OPPORTUNITY_FILTERS: Filters = {**CHANGED, "account_id": ("parent", "="), "stage": ("status", "=")}
QUOTE_FILTERS: Filters = {**CHANGED, "opportunity_id": ("parent", "="), "status": ("status", "=")}


class AccountIn(Input):
    name: Text
    external_id: Reference | None = None
    sector: Text | None = None
    country: Text | None = None
    tier: Text | None = None
    owner: Text | None = None
    email: Text | None = None
    tax_id: Text | None = None


class OpportunityIn(Input):
    name: Text | None = None
    account_id: Reference | None = None
    account_name: Text | None = None
    owner: Text | None = None
    product: Text
    quantity: Quantity = 1
    stage: Stage = Stage.PROSPECTING
    engage_date: IsoDate | None = None
    close_date: IsoDate | None = None
    close_value: Money | None = None
    currency: Currency = "USD"
    erp_order_number: Reference | None = None


class QuoteLine(Input):
    line: Quantity | None = None
    product: Text
    quantity: Quantity
    list_price: Money
    unit_price: Money
    discount_pct: Money | None = None


class QuoteIn(Input):
    opportunity_id: Reference | None = None
    account_id: Reference
    currency: Currency
    lines: Annotated[list[QuoteLine], Field(min_length=1, max_length=500)]
    status: QuoteStatus = QuoteStatus.DRAFT
    tier: Text | None = None


def create_account(call: Call) -> Answer:
    body = {"id": documents.new_id("acc"), **call.read(AccountIn).model_dump(), "version": 1}
    body = documents.add(call.store, ACCOUNTS, stamp(call, body))
    call.emit(EventType.ACCOUNT_CREATED, body)
    return Answer(201, body)


def change_account(call: Call) -> Answer:
    current = find(call, ACCOUNTS)
    after = save_change(call, ACCOUNTS, current, merge(call, AccountIn, current).model_dump())
    if after:
        call.emit(EventType.ACCOUNT_UPDATED, after)
    return Answer(200, after or current)


def create_opportunity(call: Call) -> Answer:
    body = {"id": documents.new_id("opp"), **_shape_opportunity(call, call.read(OpportunityIn)), "version": 1}
    body = documents.add(call.store, OPPORTUNITIES, stamp(call, body))
    call.emit(EventType.OPPORTUNITY_CREATED, body)
    return Answer(201, body)


def change_opportunity(call: Call) -> Answer:
    current = find(call, OPPORTUNITIES)
    after = save_change(call, OPPORTUNITIES, current, _shape_opportunity(call, merge(call, OpportunityIn, current)))
    if after:
        call.emit(EventType.OPPORTUNITY_UPDATED, after)
    return Answer(200, after or current)


def create_quote(call: Call) -> Answer:
    body = {"id": documents.new_id("quo"), **_shape_quote(call, call.read(QuoteIn)), "version": 1}
    body = documents.add(call.store, QUOTES, stamp(call, body))
    if body["status"] == QuoteStatus.APPROVED:
        call.emit(EventType.QUOTE_APPROVED, body)
    return Answer(201, body)


def change_quote(call: Call) -> Answer:
    """Raises ApiError 409 for an approved quote: what was approved stays as it is."""
    current = find(call, QUOTES)
    if current["status"] == QuoteStatus.APPROVED:
        raise conflict("quote_approved", f"Quote {current['id']} is approved; make a new one.", id=current["id"])
    after = save_change(call, QUOTES, current, _shape_quote(call, merge(call, QuoteIn, current)))
    if after and after["status"] == QuoteStatus.APPROVED:
        call.emit(EventType.QUOTE_APPROVED, after)
    return Answer(200, after or current)


def _shape_opportunity(call: Call, given: OpportunityIn) -> Body:
    body = given.model_dump()
    if given.account_id is not None:
        account = _account(call, given.account_id)
        body["account_name"] = given.account_name or account["name"]
    elif given.account_name is None:
        raise invalid(("account_id", "give account_id or account_name"))
    if given.close_value is not None:
        body["close_value"] = format_money(given.close_value, given.currency)
    body["name"] = given.name or f"{body['account_name']} / {given.product}"
    return body


def _shape_quote(call: Call, given: QuoteIn) -> Body:
    _account(call, given.account_id)
    if given.opportunity_id and documents.get(call.store, OPPORTUNITIES, given.opportunity_id) is None:
        raise invalid(("opportunity_id", f"there is no opportunity {given.opportunity_id!r}"))
    total = sum((line.quantity * line.unit_price for line in given.lines), Decimal(0))
    lines = [_shape_line(number, line, given.currency) for number, line in enumerate(given.lines, start=1)]
    return {**given.model_dump(), "lines": lines, "total": format_money(total, given.currency)}


def _shape_line(number: int, line: QuoteLine, currency: str) -> dict[str, Any]:
    discount = line.discount_pct
    if discount is None:
        discount = (1 - line.unit_price / line.list_price) * 100 if line.list_price else Decimal(0)
        discount = max(discount, Decimal(0)).quantize(Decimal("0.01"))
    prices = {name: format_money(getattr(line, name), currency) for name in ("list_price", "unit_price")}
    return {
        "line": line.line or number,
        "product": line.product,
        "quantity": line.quantity,
        **prices,
        "discount_pct": f"{discount:f}",
    }


def _account(call: Call, account_id: str) -> Body:
    account = documents.get(call.store, ACCOUNTS, account_id)
    if account is None:
        raise invalid(("account_id", f"there is no account {account_id!r}"))
    return account


ROUTES = [
    ("POST", "/accounts", create_account),
    ("GET", "/accounts", lambda call: answer_page(call, ACCOUNTS, ACCOUNT_FILTERS)),
    ("GET", "/accounts/{key}", lambda call: Answer(200, find(call, ACCOUNTS))),
    ("PATCH", "/accounts/{key}", change_account),
    ("POST", "/opportunities", create_opportunity),
    ("GET", "/opportunities", lambda call: answer_page(call, OPPORTUNITIES, OPPORTUNITY_FILTERS)),
    ("GET", "/opportunities/{key}", lambda call: Answer(200, find(call, OPPORTUNITIES))),
    ("PATCH", "/opportunities/{key}", change_opportunity),
    ("POST", "/quotes", create_quote),
    ("GET", "/quotes", lambda call: answer_page(call, QUOTES, QUOTE_FILTERS)),
    ("GET", "/quotes/{key}", lambda call: Answer(200, find(call, QUOTES))),
    ("PATCH", "/quotes/{key}", change_quote),
    *webhooks.ROUTES,
]
