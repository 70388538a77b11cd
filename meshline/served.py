"""The product as it is served: the doors for events on the event loop itself, everything else in threads through Django's WSGI handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from django.conf import settings

from meshline.kernel import asgi_bodies, ids, jsontext
from meshline.kernel.api import problems
from meshline.kernel.errors import MeshlineError
from meshline.kernel.wsgi_threads import Scope, Send, WSGIThreads, headers_of
from syncflows.engine.door import front, groups


class Application:
    """ASGI 3: HTTP and lifespan."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]]) -> None:
        self._doors = front.Front()
        self._pages = WSGIThreads(wsgi, threads=settings.MESHLINE_WEB_THREADS)

    async def __call__(self, scope: Scope, receive: asgi_bodies.Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: asgi_bodies.Receive, send: Send) -> None:
        """From the server's start to its end, which comes after the last answer."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(groups.COLLECTOR.rest)
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _serve(self, scope: Scope, receive: asgi_bodies.Receive, send: Send) -> None:
        limit_bytes = max(settings.MESHLINE_INGEST_LIMIT_BYTES, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        is_door = front.is_for(scope["method"], scope["path"]) and not scope["query_string"]
        if is_door:
            limit_bytes = settings.MESHLINE_INGEST_LIMIT_BYTES
        try:
            body = await asgi_bodies.read(receive, limit_bytes=limit_bytes, wait_s=settings.MESHLINE_BODY_WAIT_S)
        except asgi_bodies.Gone:
            return
        except MeshlineError as error:
            await _send(_refused(error), send)
            return
        answer = await self._doors.answer(_asked(scope, body)) if is_door else None
        if answer is None:
            await self._pages(scope, body, send)
        else:
            await _send(answer, send)


def _asked(scope: Scope, body: bytes) -> front.Asked:
    headers = headers_of(scope)
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    return front.Asked(scope["path"], headers, body, f"{_scheme(scope, headers)}://{headers.get('host', '')}{path}")


def _scheme(scope: Scope, headers: dict[str, str]) -> str:
    """As Django works it out (SECURE_PROXY_SSL_HEADER)."""
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure = settings.SECURE_PROXY_SSL_HEADER
        told = headers.get(name.removeprefix("HTTP_").lower().replace("_", "-"), "").split(",")[0].strip()
        if told:
            return "https" if told == secure else "http"
    return str(scope.get("scheme", "http"))


def _refused(error: MeshlineError) -> front.Answer:
    request_id = ids.new("req")
    document, headers = problems.described(error, request_id)
    named = {**front.HEADERS, "Content-Type": problems.CONTENT_TYPE, "X-Request-Id": request_id, **headers}
    return front.Answer(document["status"], named, jsontext.dumps(document).encode())


async def _send(answer: front.Answer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
