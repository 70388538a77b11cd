"""Exact money: a Decimal with its ISO 4217 currency. Never a binary float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from meshline.kernel.errors import Invalid

# Currencies whose minor unit is not 1/100 (ISO 4217, list one). All others have two places.
WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
PLACES = {**dict.fromkeys(WHOLE.split(), 0), **dict.fromkeys(THOUSANDTHS.split(), 3)}
LIMIT = Decimal(10) ** 24
# Python's own context rounds at 28 digits; the largest amount here has 36, and the product of two 72.
EXACT = Context(prec=80)


class BadAmount(Invalid):
    default_code = "bad_amount"


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` in major units; `currency` three capital letters."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        check_currency(self.currency)

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:,.{max(places(self.currency), -exponent(self.amount))}f}"

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(EXACT.subtract(self.amount, other.amount), self.currency)

    def rounded(self) -> Money:
        """To the currency's minor unit, half to even."""
        return Money(
            self.amount.quantize(Decimal(1).scaleb(-places(self.currency)), rounding=ROUND_HALF_EVEN, context=EXACT),
            self.currency,
        )

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise BadAmount(
                f"Amounts in {self.currency} and {other.currency} cannot be added without an exchange rate."
            )


def places(currency: str) -> int:
    """Digits after the point of the currency's minor unit."""
    return PLACES.get(currency, 2)


def check_currency(code: Any) -> str:
    if not (isinstance(code, str) and len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise BadAmount(f"{code!r} is not an ISO 4217 currency code such as EUR.")
    return code


def exponent(value: Decimal) -> int:
    """The exponent of a finite Decimal (-2 for 1.50)."""
    found = value.as_tuple().exponent
    return found if isinstance(found, int) else 0


def decimal(value: Any) -> Decimal:
    """An exact Decimal from a Decimal, an int or a numeral such as "1054.00". Raises BadAmount for floats, NaN, words, absurd sizes."""
    if isinstance(value, bool | float):
        raise BadAmount(f"{value!r} is not exact: write amounts in quotes, for example '10.5'.")
    try:
        found = Decimal(value.strip() if isinstance(value, str) else value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise BadAmount(f"{str(value)[:60]!r} is not an amount such as 1054.00.") from error
    if not found.is_finite() or abs(found) >= LIMIT or exponent(found) < -12:
        raise BadAmount(f"{str(value)[:60]!r} is not an amount that can be booked.")
    return found


def shortest(value: Decimal) -> str:
    """The numeral without trailing zeros: equal amounts have equal texts."""
    found = text(value)
    found = found.rstrip("0").rstrip(".") if "." in found else found
    return "0" if found == "-0" else found


def text(value: Decimal) -> str:
    """The plain numeral, without an exponent."""
    return format(value, "f")
