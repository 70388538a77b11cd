"""Tryton's way of writing values in JSON, and ours. Decimals stay Decimals between the wire and the numeral; nothing passes through a float but
quantities, which Tryton itself keeps as floats."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from meshline.kernel import money
from syncflows.connectors.errors import Rejected


def dumps(value: Any) -> str:
    return json.dumps(value, default=_marked)


def loads(text: str) -> Any:
    """Raises ValueError for what is not JSON."""
    return json.loads(text, object_hook=_plain)


def quantity(value: Decimal, *, field: str) -> float:
    """Tryton takes quantities as floats. Raises Rejected for one that a float would change."""
    found = float(value)
    if Decimal(repr(found)) != value:
        raise Rejected(
            f"Tryton cannot hold the quantity {value} exactly: it keeps at most 15 digits.",
            context={"details": [{"field": field, "message": "more digits than Tryton keeps"}]},
        )
    return found


def numeral(value: Any) -> str:
    """The plain numeral of an amount (`41.0050`) or of a quantity (`3`, for Tryton's 3.0). Empty for nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        value = Decimal(repr(value))
        value = value.to_integral_value() if value == value.to_integral_value() else value
    return money.text(Decimal(value))


def iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else ""


def _marked(value: Any) -> dict[str, Any]:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, dt.datetime):
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{part: getattr(value, part) for part in parts}}
    if isinstance(value, dt.date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    raise TypeError(f"{type(value).__name__} has no form in Tryton's JSON")


def _plain(found: dict[str, Any]) -> Any:
    reader = READERS.get(str(found.get("__class__")))
    return reader(found) if reader else found


def _datetime(found: dict[str, Any]) -> dt.datetime:
    # Tryton keeps moments in UTC and does not say so.
    parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return dt.datetime(**{part: int(found[part]) for part in parts}, tzinfo=dt.UTC)


READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Decimal": lambda found: Decimal(found["decimal"]),
    "date": lambda found: dt.date(found["year"], found["month"], found["day"]),
    "datetime": _datetime,
    "timedelta": lambda found: dt.timedelta(seconds=found["seconds"]),
    "bytes": lambda found: base64.b64decode(found["base64"]),
}
