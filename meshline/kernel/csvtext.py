"""Lists as CSV that a spreadsheet may open: a cell that would be run as a formula is quoted (OWASP, CSV Injection)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse

FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
BREAKS = ("\t", "\r", "\n")
BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for the local code page


class _Echo:
    def write(self, text: str) -> str:
        return text


def cell(value: Any) -> str:
    """One value as text. Numbers stay numbers; texts that begin like a formula get an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).replace("\0", "")
    risky = text.startswith(BREAKS) or text.lstrip().startswith(FORMULA_STARTS)
    return f"'{text}" if risky else text


def lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK + writer.writerow(header)
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download named `<name>.csv`, written while the rows are read."""
    answer = StreamingHttpResponse(lines(header, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer
