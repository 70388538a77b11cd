"""A WSGI application behind an event loop: the request is whole before a thread takes it, so a slow sender holds no thread.

Speaks ASGI 3 (HTTP) upwards and WSGI (PEP 3333) downwards. Knows nothing of Django.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Environ = dict[str, Any]
UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
SEND_WAIT_S = 60.0  # a reader that takes nothing for so long is gone


class WSGIThreads:
    """`threads` requests at once; the others wait in order."""

    def __init__(self, application: Callable[..., Iterable[bytes]], *, threads: int) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="web")

    async def __call__(self, scope: Scope, body: bytes, send: Send) -> None:
        loop = asyncio.get_running_loop()
        answering = _Answering(loop, send)
        await loop.run_in_executor(self._threads, self._run, environ_of(scope, body), answering)

    def _run(self, environ: Environ, answering: _Answering) -> None:
        chunks = self._application(environ, answering.start)
        try:
            if getattr(chunks, "streaming", True):
                for chunk in chunks:
                    answering.write(chunk, more=True)
                answering.write(b"", more=False)
            else:
                answering.write(b"".join(chunks), more=False)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()


class _Answering:
    """One answer: its head goes out with its first part."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop, self._send = loop, send
        self._head: dict[str, Any] | None = None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        named = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._head = {"type": "http.response.start", "status": int(status[:3]), "headers": named}
        return lambda chunk: self.write(chunk, more=True)

    def write(self, chunk: bytes, *, more: bool) -> None:
        asyncio.run_coroutine_threadsafe(self._write(chunk, more), self._loop).result(SEND_WAIT_S)

    async def _write(self, chunk: bytes, more: bool) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            await self._send(head)
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})


def environ_of(scope: Scope, body: bytes) -> Environ:
    """The WSGI environment of a whole request; its length is that of the body, however it came."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"], "SCRIPT_NAME": "", "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"), "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0] or "localhost", "SERVER_PORT": str(server[1] or 80), "REMOTE_ADDR": client[0], "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0), "wsgi.url_scheme": scope.get("scheme", "http"), "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
    }  # fmt: skip
    for name, value in headers_of(scope).items():
        if "_" not in name:  # X_Forwarded_For would stand for X-Forwarded-For
            environ[UNPREFIXED.get(name) or f"HTTP_{name.upper().replace('-', '_')}"] = value
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return {**environ, "CONTENT_LENGTH": str(len(body))} if body or "CONTENT_LENGTH" in environ else environ


def headers_of(scope: Scope) -> dict[str, str]:
    """By lower-case name; one that is repeated is joined (RFC 9110, 5.3; cookies by RFC 6265)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in found:
            value = f"{found[name]}{'; ' if name == 'cookie' else ','}{value}"
        found[name] = value
    return found
