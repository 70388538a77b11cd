from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.kernel import formatting

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        ("48200", "EUR", "48,200.00"),
        ("0.0375", "USD", "0.0375"),
        ("451400.00", "JPY", "451,400"),
        ("1054.1", "BHD", "1,054.100"),
        ("-0.5", "USD", "-0.50"),
        ("1E+3", "usd", "1,000.00"),
        (7, "", "7.00"),
    ],
)
def test_amount_text_shows_the_currencys_decimals_and_never_rounds(value, currency, text):
    assert formatting.amount_text(value, currency) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_amount_text_reads_back_as_the_same_number(value):
    assert Decimal(formatting.amount_text(value, "EUR").replace(",", "")) == value


def test_amount_text_refuses_a_float():
    with pytest.raises(TypeError, match="must be exact"):
        formatting.amount_text(0.1, "EUR")


@pytest.mark.parametrize("value", ["abc", "NaN", "Infinity", ""])
def test_amount_text_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match="not a"):
        formatting.amount_text(value, "EUR")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "under 1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (4320, "1 h 12 min"),
        (7200, "2 h"),
        (-90000, "1 d 1 h"),
    ],
)
def test_duration_text_names_two_units_at_most(seconds, text):
    assert formatting.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("away", "text"),
    [
        (timedelta(), "now"),
        (timedelta(seconds=-3), "3 s ago"),
        (timedelta(minutes=41), "in 41 min"),
        (timedelta(hours=-4, minutes=-5), "4 h 5 min ago"),
        (timedelta(days=-2, hours=-5), "2 d ago"),
        (timedelta(days=-90), "22 Aug 2026"),
    ],
)
def test_relative_text_says_how_far_away(away, text):
    assert formatting.relative_text(NOW + away, now=NOW, zone=UTC) == text


def test_exact_text_is_in_the_readers_zone():
    assert formatting.exact_text(NOW, zone=ZoneInfo("Europe/Berlin")) == "Fri 20 Nov 2026 19:00:00 CET"


def test_json_text_keeps_every_digit_of_a_number_in_text():
    assert '"0.10000000000000000001"' in formatting.json_text('{"a": 0.10000000000000000001}')


def test_json_text_leaves_text_that_is_not_json():
    assert formatting.json_text("<broken {") == "<broken {"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), ("", '""'), ("a", "a"), (True, "true"), ([1], "[1]"), (Decimal("1.50"), "1.50")]
)
def test_value_text_tells_empty_and_missing_apart(value, text):
    assert formatting.value_text(value) == text


@pytest.mark.parametrize(("name", "text"), [("Dana Kim", "DK"), ("dana", "DA"), ("jo.an_lopez", "JL"), ("  ", "?")])
def test_initials_come_from_the_name(name, text):
    assert formatting.initials(name) == text
