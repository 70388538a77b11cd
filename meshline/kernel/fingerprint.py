"""Fingerprints: the SHA-256 of a value's canonical JSON. Equal content gives equal fingerprints, whatever the key order."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from decimal import Decimal
from typing import Any


def of(value: Any) -> str:
    """64 hexadecimal characters. Decimals count by exact text (`1.50` and `1.5` differ: scale is content)."""
    return hashlib.sha256(canonical(value)).hexdigest()


def short(value: Any, *, length: int = 20) -> str:
    """The first `length` characters of the fingerprint, for keys that people read."""
    return of(value)[:length]


def canonical(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces (the order of RFC 8785, numbers as written)."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    ).encode()


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    raise TypeError(f"cannot take the fingerprint of a {type(value).__name__}: convert it to JSON first")
