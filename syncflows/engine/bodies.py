"""Request bodies as bytes, up to a limit: numbers stay exact and signatures are checked over what really came."""

from __future__ import annotations

from typing import IO, Any

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError

from meshline.kernel.errors import Invalid

CHUNK_BYTES = 64 * 1024
DRAINED_BYTES_MAX = 64 * 1024 * 1024


class TooLarge(Invalid):
    default_code = "body_too_large"
    http_status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"The body is larger than {limit_bytes:,} bytes. Send fewer events at a time (setting MESHLINE_INGEST_LIMIT_BYTES)."
        )


class LengthMissing(Invalid):
    default_code = "length_required"
    http_status = 411


class CutOff(Invalid):
    default_code = "body_cut_off"
    http_status = 400


def read(request: HttpRequest) -> bytes:
    """The whole body. Raises TooLarge, LengthMissing, CutOff (the sender went away, or sent less than it said)."""
    limit = settings.MESHLINE_INGEST_LIMIT_BYTES
    length = _length(request)
    try:
        if length is None:
            return _read_chunked(request, limit)
        if length > limit:
            _drain(request, length)
            raise TooLarge(limit)
        body = request.read(length)
    except (UnreadablePostError, OSError) as error:
        raise CutOff("The connection broke before the whole body was here. Send it again.") from error
    if len(body) < length:
        raise CutOff(f"The body has {len(body):,} bytes where Content-Length says {length:,}. Send it again.")
    return bytes(body)


def _length(request: HttpRequest) -> int | None:
    text = str(request.META.get("CONTENT_LENGTH") or "")
    if "chunked" in str(request.META.get("HTTP_TRANSFER_ENCODING", "")).lower():
        return None
    return int(text) if text.isdecimal() else 0


def _read_chunked(request: HttpRequest, limit: int) -> bytes:
    """A body without Content-Length: Django would read nothing of it, so it is read where the server says that the stream ends by itself."""
    if not request.META.get("wsgi.input_terminated"):
        raise LengthMissing("This server needs a Content-Length header. Send one.")
    stream: IO[Any] = request.META["wsgi.input"]
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(limit)
    return bytes(body)


def _drain(request: HttpRequest, length: int) -> None:
    """Read what is refused, within reason: a sender that is cut off while it writes never sees the answer."""
    left = min(length, DRAINED_BYTES_MAX)
    while left > 0 and (chunk := request.read(min(CHUNK_BYTES, left))):
        left -= len(chunk)
