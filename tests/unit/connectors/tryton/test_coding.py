"""Values between Tryton's JSON and ours."""

import datetime as dt
from decimal import Decimal

import pytest

from syncflows.connectors.errors import Rejected
from syncflows.connectors.tryton import coding


@pytest.mark.parametrize(
    "value",
    [
        Decimal("41.0050"),
        dt.date(2017, 3, 1),
        dt.datetime(2017, 3, 1, 12, 30, 5, 7, tzinfo=dt.UTC),
        {"a": [Decimal("0.10"), None, "x", 3]},
    ],
)
def test_loads_gives_back_what_dumps_wrote(value: object) -> None:
    assert coding.loads(coding.dumps(value)) == value


def test_loads_keeps_every_digit_of_a_decimal() -> None:
    assert str(coding.loads('{"__class__": "Decimal", "decimal": "41.0050"}')) == "41.0050"


def test_dumps_refuses_what_tryton_has_no_form_for() -> None:
    with pytest.raises(TypeError, match="no form"):
        coding.dumps(object())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("41.0050"), "41.0050"),
        (Decimal("1E+3"), "1000"),
        (3.0, "3"),
        (0.1, "0.1"),
        (1000000.0, "1000000"),
        (None, ""),
    ],
)
def test_numeral_is_plain(value: object, text: str) -> None:
    assert coding.numeral(value) == text


def test_quantity_takes_what_a_float_holds_and_refuses_what_it_would_change() -> None:
    assert coding.quantity(Decimal("2.50"), field="lines[0].quantity") == 2.5
    with pytest.raises(Rejected) as refused:
        coding.quantity(Decimal("1.00000000000000000001"), field="lines[0].quantity")
    assert refused.value.context["details"][0]["field"] == "lines[0].quantity"
