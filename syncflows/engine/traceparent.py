"""W3C Trace Context, level 1: the trace id of a `traceparent` is the correlation id of the business transaction. Pure."""

from __future__ import annotations

import re
import secrets

# version "-" trace-id "-" parent-id "-" flags; versions after 00 may add more fields.
SHAPE = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


def trace_id(header: str) -> str | None:
    """The trace id, or None where the header is none: an invalid one is ignored, as the standard asks."""
    match = SHAPE.fullmatch(header.strip())
    if match is None:
        return None
    version, trace, parent, _, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not parent.strip("0"):
        return None
    return trace


def new_trace_id() -> str:
    """32 hexadecimal characters."""
    return secrets.token_hex(16)
