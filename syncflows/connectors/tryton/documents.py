"""The documents that steps may send, and nothing else in them: a misspelt field is refused, not ignored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from meshline.kernel import money
from meshline.kernel.errors import MeshlineError
from syncflows.connectors.errors import Rejected


def _exact(value: Any) -> Decimal:
    try:
        return money.decimal(value)
    except MeshlineError as error:
        raise ValueError(error.message) from error


def _date(value: Any) -> Any:
    """Times are cut off: Tryton's documents carry days."""
    return value[:10] if isinstance(value, str) else value


def _whole(value: str) -> str:
    """Tryton cuts spaces off both ends, and would not find the text again as we know it."""
    if value != value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} begins or ends with a space, or holds a character that is not printable")
    return value


Numeral = Annotated[Decimal, BeforeValidator(_exact)]
Day = Annotated[dt.date, BeforeValidator(_date)]
Text = Annotated[str, Field(min_length=1)]
Key = Annotated[str, Field(min_length=1), AfterValidator(_whole)]


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Customer(Document):
    """A party. `external_id` becomes its code, which Tryton keeps unique. `country`: ISO 3166 alpha-2; `payment_term`: its name in Tryton."""

    external_id: Key
    name: Text
    country: str | None = None
    email: str | None = None
    payment_term: str | None = None
    street: str | None = None
    postal_code: str | None = None
    city: str | None = None


class CustomerChange(Document):
    """What may change on a customer that is there. What is left out stays as it is."""

    external_id: Key
    name: Text
    country: str | None = None
    payment_term: str | None = None
    street: str | None = None
    postal_code: str | None = None
    city: str | None = None


class Product(Document):
    """`list_price` in the company's currency; `category`: the accounting category's name; default: options.product_category."""

    sku: Key
    name: Text
    list_price: Numeral
    type: Annotated[str, Field(pattern="^(goods|assets|service)$")] = "goods"
    unit: str = "Unit"
    category: str | None = None


class OrderLine(Document):
    """Without `unit_price` Tryton's price list decides."""

    sku: Text
    quantity: Numeral
    unit_price: Numeral | None = None
    description: str | None = None


class Order(Document):
    """A sale. `external_id` becomes its reference; `customer_id`: the party's code; `currency` ISO 4217; `order_date`: default today there."""

    external_id: Key
    customer_id: Text
    currency: Text
    order_date: Day | None = None
    payment_term: str | None = None
    description: str | None = None
    comment: str | None = None
    lines: list[OrderLine] = Field(min_length=1)


class InvoicePosting(Document):
    """`order`: the sale's number or our reference; default: the step's reference. `invoice_date`: default today there."""

    order: str = ""
    invoice_date: Day | None = None


class Cancellation(Document):
    """`order`: the sale's number or our reference; default: the step's reference."""

    order: str = ""


D = TypeVar("D", bound=Document)


def read(model: type[D], given: Mapping[str, Any], *, operation: str) -> D:
    """Raises Rejected with what is wrong, field by field."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        details = [{"field": _path(item["loc"]), "message": item["msg"]} for item in error.errors()]
        said = "; ".join(f"{item['field']}: {item['message']}" for item in details)
        raise Rejected(
            f"The document for {operation} cannot be sent to Tryton: {said}.",
            code="bad_document",
            context={"details": details},
        ) from error


def refuse(field: str, message: str, *, code: str) -> Rejected:
    """A refusal of ours about one field."""
    return Rejected(message, code=code, context={"details": [{"field": field, "message": message}]})


def _path(places: tuple[int | str, ...]) -> str:
    return "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in places).lstrip(".")
