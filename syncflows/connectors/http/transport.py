"""Sends one request and hears one answer. Decides what a broken exchange means: never sent, or perhaps arrived.

Never retries, never follows a redirect, never keeps cookies, never reads proxy settings or .netrc from the environment. Speaks through httpcore,
the transport of httpx: of httpx's own half of the time of a call nothing is used here.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from meshline.kernel import jsontext
from meshline.kernel.expressions import plain
from meshline.kernel.jsontext import BadJSON
from syncflows.connectors.errors import ConnectorError, Misconfigured, Outage, OutcomeUnknown, Transient
from syncflows.connectors.http.throttle import Throttle
from syncflows.governance.schemas.systems import Timeouts

# Servers close idle connections after 2 s (gunicorn) or 5 s (uvicorn, Node): we let go first, so that no write meets a closing one.
KEEPALIVE_S = 1.5
BODY_BYTES_MAX = 32 * 1024 * 1024
BODY_TIME_FACTOR = 6
FIRST_BYTE = "http11.send_request_headers.started"  # httpcore's name of that moment
CHUNK_BYTES = 1024 * 1024
PACKINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
UNSENT = (httpcore.ConnectError, httpcore.ConnectTimeout)
UNSENDABLE = (httpcore.UnsupportedProtocol, httpx.InvalidURL, httpcore.LocalProtocolError, UnicodeError)
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Outgoing:
    """One request, ready to be sent. purpose: for messages, such as "create_order". writes: whether it may change the far side.
    check: called before its first byte goes out; what it raises is raised here, and nothing was sent."""

    method: str
    url: str
    purpose: str
    writes: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    check: Callable[[], None] | None = None


@dataclass(frozen=True)
class Reply:
    """What came back. headers: lower-case names. complete: False where the body was cut off or too large."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    complete: bool = True

    def answer(self) -> Any:
        """The body as JSON with exact numerals as text; None for an empty one. Raises BadJSON."""
        if not self.complete:
            raise BadJSON("The answer was cut off.")
        return plain(jsontext.parse(self.body)) if self.body.strip() else None

    def answer_or_none(self) -> Any:
        try:
            return self.answer()
        except BadJSON:
            return None


class Transport:
    """One pool of connections to one system, shared by threads."""

    def __init__(self, *, system: str, timeouts: Timeouts, concurrency: int, throttle: Throttle) -> None:
        self.system = system
        self.throttle = throttle
        self.read_s = timeouts.read_s
        self.times = {
            "connect": timeouts.connect_s,
            "read": timeouts.read_s,
            "write": timeouts.read_s,
            "pool": timeouts.read_s,
        }
        self.pool = httpcore.ConnectionPool(
            max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=KEEPALIVE_S
        )

    def send(self, outgoing: Outgoing) -> Reply:
        """Raises Outage or Transient where nothing was sent, OutcomeUnknown where a write may have arrived, Misconfigured."""
        self.throttle.wait(outgoing.purpose)
        try:
            request = self._build(outgoing)
        except Exception as error:
            raise self._misconfigured(outgoing, error) from error
        try:
            response = self.pool.handle_request(request)
        except ConnectorError:
            raise
        except Exception as error:
            raise self._broken(outgoing, error) from error
        return self._read(response)

    def close(self) -> None:
        self.pool.close()

    def _build(self, outgoing: Outgoing) -> httpcore.Request:
        url, host = _address(outgoing.url)
        named: dict[str, str] = {"host": host, "accept-encoding": "gzip, deflate", **outgoing.headers}
        headers: Headers = [(name.encode("ascii"), value.encode()) for name, value in named.items()]
        if outgoing.content is not None or outgoing.method in WITH_BODY:
            headers.append((b"content-length", str(len(outgoing.content or b"")).encode()))
        extensions: dict[str, Any] = {"timeout": self.times}
        if outgoing.check is not None:
            extensions["trace"] = _before_first_byte(outgoing.check)
        return httpcore.Request(
            outgoing.method, url, headers=headers, content=outgoing.content or b"", extensions=extensions
        )

    def _read(self, response: httpcore.Response) -> Reply:
        """The body, as far as it came. Too large, too slow or cut off is no error here: the status may still say enough."""
        chunks, size, end_s = [], 0, time.monotonic() + self.read_s * BODY_TIME_FACTOR
        complete = True
        try:
            for chunk in _decoded(response):
                size += len(chunk)
                if size > BODY_BYTES_MAX or time.monotonic() > end_s:
                    complete = False
                    break
                chunks.append(chunk)
        except Exception:  # noqa: BLE001 - a body that breaks off, however it does, is an incomplete answer
            complete = False
        finally:
            _close_quietly(response)
        return Reply(response.status, _joined(response.headers), b"".join(chunks), complete)

    def _broken(self, outgoing: Outgoing, error: Exception) -> ConnectorError:
        where = f"{self.system}, {outgoing.purpose}"
        if isinstance(error, UNSENT):
            return Outage(
                f"{where}: {_host(outgoing)} cannot be reached ({_kind(error)}); nothing was sent.",
                context=_context(error),
            )
        if isinstance(error, httpcore.PoolTimeout):
            return Transient(
                f"{where}: all connections were busy; nothing was sent.", code="pool_exhausted", context=_context(error)
            )
        if isinstance(error, UNSENDABLE):
            return self._misconfigured(outgoing, error)
        if outgoing.writes:
            message = f"{where}: the request went out and no answer came back ({_kind(error)}). It may have taken effect; look it up first."
            return OutcomeUnknown(message, context=_context(error))
        code = "timed_out" if isinstance(error, httpcore.TimeoutException) else "connection_lost"
        return Transient(f"{where}: no answer ({_kind(error)}).", code=code, context=_context(error))

    def _misconfigured(self, outgoing: Outgoing, error: Exception) -> Misconfigured:
        # The library's own text may quote a header, and with it a credential.
        return Misconfigured(
            f"{self.system}, {outgoing.purpose}: the request cannot be built ({type(error).__name__}). "
            "Check base_url, path and headers of the system's definition.",
            context={"error": type(error).__name__},
        )


def _before_first_byte(check: Callable[[], None]) -> Callable[[str, Any], None]:
    """Calls `check` once the connection stands and just before the request is written to it."""

    def told(event: str, info: Any) -> None:
        if event == FIRST_BYTE:
            check()

    return told


@lru_cache(maxsize=1024)
def _address(url: str) -> tuple[httpcore.URL, str]:
    """The address as it goes over the wire (percent-encoded, host in ASCII), and the Host header. Raises httpx.InvalidURL."""
    parsed = httpx.URL(url)
    wire = httpcore.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path)
    return wire, parsed.netloc.decode("ascii")


def _decoded(response: httpcore.Response) -> Iterator[bytes]:
    """The body's bytes as they come, unpacked (RFC 9110, 8.4.1). Raises zlib.error for a body that is not packed as it says."""
    packing = dict(_joined(response.headers)).get("content-encoding", "identity").strip().lower()
    if packing in ("", "identity"):
        yield from response.iter_stream()
        return
    if packing not in PACKINGS:
        raise zlib.error(f"content-encoding {packing} was not asked for")
    unpacking = zlib.decompressobj(PACKINGS[packing])
    for chunk in response.iter_stream():
        while chunk:
            yield unpacking.decompress(chunk, CHUNK_BYTES)
            chunk = unpacking.unconsumed_tail
    yield unpacking.flush()
    if not unpacking.eof:
        raise zlib.error("the packed body is cut off")


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names; several of one name as one list (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _close_quietly(response: httpcore.Response) -> None:
    with suppress(Exception):  # the answer is read; how its connection ends changes nothing
        response.close()


def _kind(error: Exception) -> str:
    if isinstance(error, httpcore.ConnectTimeout):
        return "connecting timed out"
    if isinstance(error, httpcore.TimeoutException):
        return "timed out"
    if isinstance(error, httpcore.ConnectError):
        return "connection refused, name not found or certificate not accepted"
    return "connection broke off"


def _host(outgoing: Outgoing) -> str:
    return httpx.URL(outgoing.url).netloc.decode("ascii", "replace") or "the system"


def _context(error: Exception) -> dict[str, Any]:
    return {"error": type(error).__name__}
