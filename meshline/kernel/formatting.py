"""How amounts, moments and values are written for people; pure, must not know HTML or the database."""

from __future__ import annotations

import json
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation

from meshline.kernel.money import places

NOTHING = "—"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
RELATIVE_DAYS_MAX = 30


def exact_decimal(value: object) -> Decimal:
    """Decimal of an exact number. Raises TypeError for a binary float, ValueError for what is no number."""
    if isinstance(value, float | bool):
        raise TypeError(f"money must be exact, not {type(value).__name__} {value!r}: pass a Decimal, an int or a text")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def amount_text(value: object, currency: str = "") -> str:
    """Thousands separated, at least the currency's own decimals, never rounded: an extra decimal is shown."""
    number = exact_decimal(value)
    least = places(currency.upper())
    used = max(0, -int(number.normalize().as_tuple().exponent))
    return f"{number:,.{max(least, used)}f}"


def duration_text(seconds: float) -> str:
    """Two units at most: '41 min', '1 h 12 min', '3 d 4 h', and 'under 1 s' of a part of a second. The sign is dropped."""
    whole = int(abs(seconds))
    if 0 < abs(seconds) < 1:
        return "under 1 s"
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    big, small, big_s, small_s = ("h", "min", HOUR_S, MINUTE_S) if whole < DAY_S else ("d", "h", DAY_S, HOUR_S)
    rest = whole % big_s // small_s
    return f"{whole // big_s} {big}" + (f" {rest} {small}" if rest else "")


def relative_text(moment: datetime, *, now: datetime, zone: tzinfo) -> str:
    """'21 min ago', 'in 3 h'; further than 30 days away the date itself, in the reader's zone."""
    away_s = (moment - now).total_seconds()
    if abs(away_s) < 1:
        return "now"
    if abs(away_s) > RELATIVE_DAYS_MAX * DAY_S:
        return moment.astimezone(zone).strftime("%d %b %Y").lstrip("0")
    rough = duration_text(away_s).split(" ")
    text = " ".join(rough[:2]) if abs(away_s) >= DAY_S else " ".join(rough)
    return f"in {text}" if away_s > 0 else f"{text} ago"


def exact_text(moment: datetime, *, zone: tzinfo) -> str:
    """'Fri 20 Nov 2026 18:22:05 CET', in the reader's zone."""
    return moment.astimezone(zone).strftime("%a %d %b %Y %H:%M:%S %Z")


def json_text(value: object) -> str:
    """Indented JSON; exact numbers and moments as text. Text that is JSON already is re-indented, other text stays."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal)
        except ValueError:
            return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def value_text(value: object) -> str:
    """One value of a diff, so that missing, empty text and the text 'null' can be told apart."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, bool | dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def initials(name: str) -> str:
    """'Dana Kim' gives 'DK', 'dana' gives 'DA'."""
    words = name.replace(".", " ").replace("_", " ").split()
    if not words:
        return "?"
    return (words[0][0] + words[-1][0] if len(words) > 1 else words[0][:2]).upper()
