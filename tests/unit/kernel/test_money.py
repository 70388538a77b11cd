"""Money is exact, has a currency, and refuses what is not an amount."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.kernel import money
from meshline.kernel.money import BadAmount, Money

AMOUNTS = st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, places=4)


@given(AMOUNTS, AMOUNTS)
def test_sum_and_difference_are_exact(left: Decimal, right: Decimal) -> None:
    total = Money(left, "EUR") + Money(right, "EUR")
    assert total - Money(right, "EUR") == Money(left, "EUR")


@given(AMOUNTS)
def test_decimal_reads_what_text_writes(value: Decimal) -> None:
    assert money.decimal(money.text(value)) == value


@pytest.mark.parametrize(
    "value", [0.1, True, None, "", "abc", "NaN", "Infinity", "1,054.00", "1e30", [], "1e-20", "٣٤x"]
)
def test_decimal_refuses_what_is_no_amount(value: object) -> None:
    with pytest.raises(BadAmount):
        money.decimal(value)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [("1.005", "USD", "1.00"), ("1.015", "USD", "1.02"), ("1000.5", "JPY", "1000"), ("1.2345", "KWD", "1.234")],
)
def test_rounded_goes_to_the_minor_unit_half_to_even(amount: str, currency: str, rounded: str) -> None:
    assert Money(Decimal(amount), currency).rounded() == Money(Decimal(rounded), currency)


def test_amounts_of_two_currencies_are_never_added() -> None:
    with pytest.raises(BadAmount, match="exchange rate"):
        Money(Decimal(1), "EUR") + Money(Decimal(1), "USD")


@pytest.mark.parametrize("code", ["eur", "EURO", "", None, "E1R", "ÉUR"])
def test_currency_is_three_capital_letters(code: object) -> None:
    with pytest.raises(BadAmount):
        money.check_currency(code)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1054", "USD", "USD 1,054.00"),
        ("1000", "JPY", "JPY 1,000"),
        ("41.0050", "USD", "USD 41.0050"),
        ("-5", "KWD", "KWD -5.000"),
    ],
)
def test_str_shows_currency_first_and_rounds_nothing(amount: str, currency: str, shown: str) -> None:
    assert str(Money(Decimal(amount), currency)) == shown
