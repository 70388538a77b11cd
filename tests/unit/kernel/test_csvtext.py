from datetime import UTC, datetime
from decimal import Decimal

import pytest

from meshline.kernel import csvtext


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"])
def test_cell_disarms_what_a_spreadsheet_would_run(text: str) -> None:
    assert csvtext.cell(text) == f"'{text}"


def test_cell_leaves_numbers_times_and_plain_text_alone() -> None:
    assert csvtext.cell(Decimal("-12.50")) == "-12.50"
    assert csvtext.cell(-3) == "-3"
    assert csvtext.cell(None) == ""
    assert csvtext.cell("Hartmann – Logistik") == "Hartmann – Logistik"
    assert csvtext.cell(datetime(2026, 11, 20, tzinfo=UTC)) == "2026-11-20T00:00:00+00:00"


def test_lines_quote_breaks_and_begin_with_a_byte_order_mark() -> None:
    first, second = csvtext.lines(["a", "b"], [['x,"y"', "1\n2"]])
    assert first == "\ufeffa,b\r\n"
    assert second == '"x,""y""","1\n2"\r\n'
