"""Sends one request and hears one answer. Decides what a broken exchange means: never sent, or perhaps arrived.

Never retries, never follows a redirect, never keeps cookies, never reads proxy settings or .netrc from the environment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

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
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)
UNSENDABLE = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)


@dataclass(frozen=True)
class Outgoing:
    """One request, ready to be sent. purpose: for messages, such as "create_order". writes: whether it may change the far side."""

    method: str
    url: str
    purpose: str
    writes: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


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
        limits = httpx.Limits(
            max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=KEEPALIVE_S
        )
        times = httpx.Timeout(timeouts.read_s, connect=timeouts.connect_s)
        transport = httpx.HTTPTransport(retries=0, limits=limits, trust_env=False)
        self.client = httpx.Client(transport=transport, timeout=times, trust_env=False, follow_redirects=False)
        self.client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def send(self, outgoing: Outgoing) -> Reply:
        """Raises Outage or Transient where nothing was sent, OutcomeUnknown where a write may have arrived, Misconfigured."""
        self.throttle.wait(outgoing.purpose)
        try:
            request = self._build(outgoing)
        except Exception as error:
            raise self._misconfigured(outgoing, error) from error
        try:
            response = self.client.send(request, stream=True)
        except Exception as error:
            raise self._broken(outgoing, error) from error
        return self._read(response)

    def close(self) -> None:
        self.client.close()

    def _build(self, outgoing: Outgoing) -> httpx.Request:
        headers = [(name.encode("ascii"), value.encode()) for name, value in outgoing.headers.items()]
        return self.client.build_request(outgoing.method, outgoing.url, headers=headers, content=outgoing.content)

    def _read(self, response: httpx.Response) -> Reply:
        """The body, as far as it came. Too large, too slow or cut off is no error here: the status may still say enough."""
        chunks, size, end_s = [], 0, time.monotonic() + self.read_s * BODY_TIME_FACTOR
        complete = True
        try:
            for chunk in response.iter_bytes():
                size += len(chunk)
                if size > BODY_BYTES_MAX or time.monotonic() > end_s:
                    complete = False
                    break
                chunks.append(chunk)
        except Exception:  # noqa: BLE001 - a body that breaks off, however it does, is an incomplete answer
            complete = False
        finally:
            _close_quietly(response)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, b"".join(chunks), complete)

    def _broken(self, outgoing: Outgoing, error: Exception) -> ConnectorError:
        where = f"{self.system}, {outgoing.purpose}"
        if isinstance(error, UNSENT):
            return Outage(
                f"{where}: {_host(outgoing)} cannot be reached ({_kind(error)}); nothing was sent.",
                context=_context(error),
            )
        if isinstance(error, httpx.PoolTimeout):
            return Transient(
                f"{where}: all connections were busy; nothing was sent.", code="pool_exhausted", context=_context(error)
            )
        if isinstance(error, UNSENDABLE):
            return self._misconfigured(outgoing, error)
        if outgoing.writes:
            message = f"{where}: the request went out and no answer came back ({_kind(error)}). It may have taken effect; look it up first."
            return OutcomeUnknown(message, context=_context(error))
        code = "timed_out" if isinstance(error, httpx.TimeoutException) else "connection_lost"
        return Transient(f"{where}: no answer ({_kind(error)}).", code=code, context=_context(error))

    def _misconfigured(self, outgoing: Outgoing, error: Exception) -> Misconfigured:
        # The library's own text may quote a header, and with it a credential.
        return Misconfigured(
            f"{self.system}, {outgoing.purpose}: the request cannot be built ({type(error).__name__}). "
            "Check base_url, path and headers of the system's definition.",
            context={"error": type(error).__name__},
        )


def _close_quietly(response: httpx.Response) -> None:
    with suppress(Exception):  # the answer is read; how its connection ends changes nothing
        response.close()


def _kind(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "connecting timed out"
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    if isinstance(error, httpx.ConnectError):
        return "connection refused, name not found or certificate not accepted"
    return "connection broke off"


def _host(outgoing: Outgoing) -> str:
    return httpx.URL(outgoing.url).netloc.decode("ascii", "replace") or "the system"


def _context(error: Exception) -> dict[str, Any]:
    return {"error": type(error).__name__}
