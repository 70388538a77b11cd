"""Field types of what the systems accept. Money is exact: text or whole numbers in, text out, never a float."""

import re
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from syncflows.sandbox.clock import parse_date
from syncflows.sandbox.errors import invalid

MINOR_DIGITS = {
    "AED": 2, "AUD": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2, "INR": 2,
    "JPY": 0, "KES": 2, "KRW": 0, "KWD": 3, "MXN": 2, "NOK": 2, "NZD": 2, "PHP": 2, "PLN": 2, "SEK": 2, "SGD": 2,
    "USD": 2, "ZAR": 2,
}  # fmt: skip
_MONEY = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
_QUANTITY = re.compile(r"\d{1,9}(\.0+)?", re.ASCII)


def parse_money(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('money is sent as text such as "550.00"')
    if not _MONEY.fullmatch(str(value)[:32]):
        raise ValueError('must be an amount of at most 12 digits and 6 decimals, such as "550.00"')
    return Decimal(str(value))


def parse_quantity(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a whole number")
    if not _QUANTITY.fullmatch(str(value)[:32]) or int(Decimal(str(value))) < 1:
        raise ValueError("must be a whole number from 1 to 999999999")
    return int(Decimal(str(value)))


def check_currency(code: str) -> str:
    if code not in MINOR_DIGITS:
        raise ValueError(f"unknown currency; known are {', '.join(MINOR_DIGITS)}")
    return code


def format_money(amount: Decimal, currency: str) -> str:
    """At least the currency's minor digits, more only where the amount has them."""
    exponent = amount.normalize().as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    return f"{amount:.{max(decimals, MINOR_DIGITS[currency])}f}"


Text = Annotated[str, Field(min_length=1, max_length=500)]
LongText = Annotated[str, Field(max_length=20_000)]
Reference = Annotated[str, Field(min_length=1, max_length=200)]
Money = Annotated[Decimal, BeforeValidator(parse_money)]
Quantity = Annotated[int, BeforeValidator(parse_quantity)]
Currency = Annotated[str, AfterValidator(check_currency)]
IsoDate = Annotated[str, AfterValidator(parse_date)]


class Input(BaseModel):
    """A request body. Unknown fields are refused: a field that is silently ignored is a lost order line."""

    model_config = ConfigDict(extra="forbid", use_enum_values=True)


ModelT = TypeVar("ModelT", bound=BaseModel)


def check(model: type[ModelT], value: Any) -> ModelT:
    """`value` as `model`. Raises ApiError 422 that names each field."""
    if not isinstance(value, dict):
        raise invalid(("body", "must be a JSON object"))
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(*[_problem(item, model) for item in error.errors()[:20]]) from None


def _problem(item: Any, model: type[BaseModel]) -> tuple[str, str]:
    field = ".".join(str(part)[:80] for part in item["loc"]) or "body"
    field = field.encode("utf-8", "replace").decode()
    if item["type"] == "extra_forbidden":
        return field, "unknown field" + (
            f"; known are {', '.join(model.model_fields)}" if len(item["loc"]) == 1 else ""
        )
    if item["type"] == "missing":
        return field, "is required"
    return field, item["msg"].removeprefix("Value error, ")
