"""Both doors on an event loop: no thread waits for a slow sender, none for a commit. Answers what it can read; leaves everything else alone.

A request that it cannot read, or not without asking the database, gets None: then the views answer, which say why. Reading stores nothing,
so nothing is done twice.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections
from django.http.request import split_domain_port, validate_host

from meshline.kernel import ids, jsontext
from meshline.kernel.api import problems
from ownership import tokens
from ownership.enums import Scope
from syncflows.engine.door import groups, memory, sent_events, webhooks
from syncflows.engine.door.deliveries import Delivery
from syncflows.engine.soft import batches

log = logging.getLogger(__name__)
WEBHOOK = re.compile(r"/ingest/([-a-zA-Z0-9_]+)/")
EVENTS = "/api/v1/events/"
INLINE_BYTES = 64 * 1024  # a larger body is read in a thread, so that it holds nobody up
LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole request. `headers` by lower-case name; `uri` as the sender wrote it."""

    path: str
    headers: dict[str, str]
    body: bytes
    uri: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def is_for(method: str, path: str) -> bool:
    """Whether a request is at one of the doors at all; cheap."""
    return method == "POST" and (path == EVENTS or WEBHOOK.fullmatch(path) is not None)


class Front:
    """One a process. `refresher` is the one thread in which the memory of definitions and tokens is renewed."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="door")
        self._renewals: dict[str, asyncio.Future[None]] = {}

    async def answer(self, asked: Asked) -> Answer | None:
        """Stored and answered, or None where the views must say what is wrong."""
        if not _is_plain(asked) or not await self._remembers(asked):
            return None
        delivery = await self._read(asked)
        if delivery is None:
            return None
        request_id = ids.new("req")
        try:
            receipts = await _store(delivery, size_bytes=len(asked.body))
            status, document = delivery.tell(receipts)
        except Exception as error:  # noqa: BLE001 - `described` answers any error, as the views do
            found, headers = problems.described(error, request_id)
            return _answer(found["status"], found, request_id, kind=problems.CONTENT_TYPE, more=headers)
        return _answer(status, document, request_id)

    async def _read(self, asked: Asked) -> Delivery | None:
        try:
            if len(asked.body) <= INLINE_BYTES:
                return read(asked)
            return await asyncio.get_running_loop().run_in_executor(self._threads, read, asked)
        except Exception as error:  # noqa: BLE001 - the views meet it again, and answer it
            log.debug("left to the views: %s", error)
            return None

    async def _remembers(self, asked: Asked) -> bool:
        """Whether all that is needed is in memory; renews it, once for all who wait."""
        if memory.recent() is None:
            await self._renew("definitions", memory.read)
        if asked.path != EVENTS:
            return memory.recent() is not None
        secret = secret_of(asked)
        if secret and tokens.remembered(secret) is None:
            await self._renew(secret, lambda: tokens.authenticate(secret))
        return bool(secret) and tokens.remembered(secret) is not None and memory.recent() is not None

    async def _renew(self, what: str, work: Callable[[], Any]) -> None:
        running = self._renewals.get(what)
        if running is None:
            loop = asyncio.get_running_loop()
            running = self._renewals[what] = loop.run_in_executor(self._threads, _asking, work)
            running.add_done_callback(lambda _: self._renewals.pop(what, None))
        await asyncio.shield(running)


def read(asked: Asked) -> Delivery:
    """What it brings, by what is remembered. Raises whatever keeps it from being read; LookupError where the memory is too old by now."""
    definitions = memory.recent()
    if definitions is None:
        raise LookupError("the definitions are not in memory")
    if found := WEBHOOK.fullmatch(asked.path):
        return webhooks.read(found[1], headers=asked.headers, body=asked.body, uri=asked.uri, definitions=definitions)
    token = tokens.remembered(secret_of(asked))
    if token is None or Scope.EVENTS_WRITE not in token.scopes:
        raise LookupError("no token in memory may send events")
    return sent_events.read(token, headers=asked.headers, body=asked.body, definitions=definitions)


def secret_of(asked: Asked) -> str:
    scheme, _, secret = asked.headers.get("authorization", "").strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _is_plain(asked: Asked) -> bool:
    """Not one of the rarer kinds that the views know how to answer: a host that is not ours, a repeated call with a key, a staged import."""
    domain, _ = split_domain_port(asked.headers.get("host", ""))
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    rare = "idempotency-key" in asked.headers or batches.HEADER in asked.headers
    return not rare and bool(domain) and validate_host(domain, allowed)


def _store(delivery: Delivery, *, size_bytes: int) -> Awaitable[list[Any]]:
    return groups.COLLECTOR.take_on_loop(delivery.arrivals, size_bytes=size_bytes)


def _asking(work: Callable[[], Any]) -> None:
    """An outage is left for the views to tell."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - nothing is remembered then, and the views meet the same error
        log.warning("what the doors remember could not be renewed: %s", error)
    finally:
        connections.close_all()


def _answer(
    status: int, document: dict[str, Any], request_id: str, *, kind: str = JSON, more: dict[str, str] | None = None
) -> Answer:
    headers = {**HEADERS, "Content-Type": kind, "X-Request-Id": request_id, **(more or {})}
    return Answer(status, headers, jsontext.dumps(document).encode())
