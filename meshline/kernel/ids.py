"""Public ids: a prefix that names the kind, then 16 characters that sort by time of making. Row numbers never leave the database."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
TIME_BITS, RANDOM_BITS = 45, 35


def new(prefix: str) -> str:
    """`prefix_` and 16 base-32 characters: 45 bits of milliseconds since 1970, 35 random bits."""
    number = (time.time_ns() // 1_000_000) % (1 << TIME_BITS) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    return f"{prefix}_{_encode(number)}"


def maker(prefix: str) -> Callable[[], str]:
    """A model field's default that makes ids of this prefix."""
    return partial(new, prefix)


def _encode(number: int) -> str:
    return "".join(ALPHABET[number >> shift & 31] for shift in range(75, -1, -5))
