"""What a document gives away against its list price, whole and by line, and two sides of a record beside each other. Pure.

Reads whatever a document happens to have: names that are not there give nothing, never an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

HUNDREDTH = Decimal("0.01")
LIST_NAMES = ("list_total", "list_amount", "list")
ASKED_NAMES = ("total", "amount", "price")
LINE_LIST_NAMES = ("list_price", "list_unit_price", "list")
LINE_ASKED_NAMES = ("unit_price", "price", "net_price")
LINE_NAMES = ("name", "product", "description", "sku")
QUANTITY_NAMES = ("quantity", "qty")
KNOWN_OF_CUSTOMER = ("tier", "customer_tier", "segment", "region", "payment_terms")


@dataclass(frozen=True)
class Given:
    """`away` is list minus asked; negative where more than list is asked. `percent` of list, two decimals."""

    listed: Decimal
    asked: Decimal
    away: Decimal
    percent: Decimal | None

    @property
    def size(self) -> Decimal:
        return abs(self.away)

    @property
    def percent_size(self) -> Decimal | None:
        return None if self.percent is None else abs(self.percent)


@dataclass(frozen=True)
class Line:
    name: str
    quantity: str
    given: Given

    @property
    def is_off(self) -> bool:
        return self.given.away != 0


def given(document: Any) -> Given | None:
    """Of the whole document, where it says both its list price and what is asked."""
    return _given(document, LIST_NAMES, ASKED_NAMES)


def lines(document: Any) -> list[Line]:
    """Lines that say both prices."""
    rows = document.get("lines") if isinstance(document, dict) else None
    found = []
    for row in rows if isinstance(rows, list) else []:
        prices = _given(row, LINE_LIST_NAMES, LINE_ASKED_NAMES)
        if prices is not None:
            found.append(Line(str(_first(row, LINE_NAMES) or "line"), str(_first(row, QUANTITY_NAMES) or ""), prices))
    return found


def known(document: Any) -> list[tuple[str, str]]:
    """What the document says of its customer: tier, segment, terms."""
    if not isinstance(document, dict):
        return []
    found = [(name, document.get(name)) for name in KNOWN_OF_CUSTOMER]
    return [
        (name.removeprefix("customer_").replace("_", " "), str(value))
        for name, value in found
        if isinstance(value, str | int) and value != ""
    ]


def fields(document: Any) -> list[tuple[str, Any]]:
    """Top-level fields that are single values; lists and objects are shown elsewhere."""
    if not isinstance(document, dict):
        return []
    return [(str(name), value) for name, value in document.items() if not isinstance(value, dict | list)]


def sides(ours: Any, theirs: Any) -> list[dict[str, Any]]:
    """Rows for `partials/diff.html`: those that differ first."""
    mine, other = ours if isinstance(ours, dict) else {}, theirs if isinstance(theirs, dict) else {}
    names = [*mine, *(name for name in other if name not in mine)]
    rows = [
        {
            "field": name,
            "before": mine.get(name),
            "after": other.get(name),
            "changed": name in mine and name in other and not _same(mine[name], other[name]),
        }
        for name in names
    ]
    return sorted(rows, key=lambda row: not row["changed"])


def at_path(document: Any, path: str) -> Any:
    """The value at a path such as `lines[0].price` or `/lines/0/price`; None where there is none."""
    found = document
    for part in path.replace("[", "/").replace("]", "").replace(".", "/").split("/"):
        if part and isinstance(found, dict):
            found = found.get(part)
        elif part and isinstance(found, list):
            found = found[int(part)] if part.isdigit() and int(part) < len(found) else None
        elif part:
            return None
    return found


def _given(row: Any, list_names: tuple[str, ...], asked_names: tuple[str, ...]) -> Given | None:
    listed, asked = _number(_first(row, list_names)), _number(_first(row, asked_names))
    if listed is None or asked is None:
        return None
    away = listed - asked
    percent = (
        (away * 100 / listed).quantize(HUNDREDTH, ROUND_HALF_UP)
        if listed and away.adjusted() - listed.adjusted() < 20
        else None
    )
    return Given(listed, asked, away, percent)


def _first(row: Any, names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if isinstance(row, dict) and row.get(name) is not None), None)


def _number(value: Any) -> Decimal | None:
    """Exact; a binary float or a text that is no number is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 40 else None


def _same(one: Any, other: Any) -> bool:
    left, right = _number(one), _number(other)
    return left == right if left is not None and right is not None else one == other
