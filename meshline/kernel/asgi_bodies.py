"""Request bodies on an event loop: whole, within limits of size and time, before anything else is done with the request (ASGI 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from meshline.kernel.errors import Invalid

Receive = Callable[[], Awaitable[dict[str, Any]]]
DRAINED_BYTES_MAX = 64 * 1024 * 1024


class Gone(Exception):
    """The sender went away before its body was here."""


class TooLarge(Invalid):
    default_code = "body_too_large"
    http_status = 413


class TooSlow(Invalid):
    default_code = "body_too_slow"
    http_status = 408


async def read(receive: Receive, *, limit_bytes: int, wait_s: float) -> bytes:
    """The whole body. What is beyond the limit is read and dropped, within reason: a sender that is cut off while it writes never sees the answer.

    Raises TooLarge, TooSlow, Gone.
    """
    message = await _next(receive)
    if not message.get("more_body"):
        return _checked(message.get("body", b""), limit_bytes)
    try:
        async with asyncio.timeout(wait_s):
            return await _rest(receive, message.get("body", b""), limit_bytes)
    except TimeoutError as error:
        raise TooSlow(f"The body was not here within {wait_s:.0f} s. Nothing of it was kept. Send it again.") from error


async def _rest(receive: Receive, first: bytes, limit_bytes: int) -> bytes:
    parts, size = [first], len(first)
    while size <= limit_bytes:
        message = await _next(receive)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            return _checked(b"".join(parts), limit_bytes)
    parts.clear()
    while size < DRAINED_BYTES_MAX:
        message = await _next(receive)
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    raise _too_large(limit_bytes)


async def _next(receive: Receive) -> dict[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message


def _checked(body: bytes, limit_bytes: int) -> bytes:
    if len(body) > limit_bytes:
        raise _too_large(limit_bytes)
    return body


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit_bytes:,} bytes. Send less at a time (setting MESHLINE_INGEST_LIMIT_BYTES)."
    )
