"""What orders the events of a record, in a form that compares rightly as text: the same order in Python, in SQL (collation C) and in an index. Pure.

Whole numbers carry their length first (`02:10` after `01:9`); times are in UTC with nine decimals; text stays as it is.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation

from meshline.kernel.errors import MeshlineError

DIGITS_MAX = 50
NINES = str.maketrans("0123456789", "9876543210")
FRACTION = re.compile(r"[.,](\d+)")


class BadSequence(MeshlineError):
    """It is not of the kind that the contract declares."""

    default_code = "bad_sequence"


def sortable(value: str, kind: str) -> str:
    """The form that is kept and compared. `kind`: text, integer or time. Empty stays empty. Raises BadSequence."""
    text = value.strip()
    if not text or kind == "text":
        return text
    return _integer(text) if kind == "integer" else _time(text)


def _integer(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _bad(text, "a whole number such as 17") from None
    if not number.is_finite() or number.adjusted() >= DIGITS_MAX or number != number.to_integral_value():
        raise _bad(text, f"a whole number of at most {DIGITS_MAX} digits, such as 17")
    digits = str(abs(int(number)))
    length = f"{len(digits):02}"
    return f"{length}:{digits}" if number >= 0 else f"-{length.translate(NINES)}:{digits.translate(NINES)}"


def _time(text: str) -> str:
    """Naive times are UTC, as everywhere. Decimals beyond the ninth are cut off."""
    fraction = FRACTION.search(text)
    try:
        found = dt.datetime.fromisoformat(FRACTION.sub("", text, count=1))
        found = found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise _bad(text, "a time such as 2026-11-30T12:00:00.123Z") from None
    decimals = (fraction[1] if fraction else "")[:9].ljust(9, "0")
    return f"{found:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{decimals}Z"


def _bad(text: str, wanted: str) -> BadSequence:
    return BadSequence(f"The sequence {text[:60]!r} is not {wanted}.", context={"sequence": text[:60]})
