"""A stranger's ERP on loopback, as small as one can be: takes orders after some latency, counts what it got, recognises nothing twice.

`POST /orders`, `GET /orders?external_id=`, and `GET /count?prefix=` for the judge. A process of its own; ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import threading
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

import uvicorn

Scope = dict[str, Any]


class Books:
    """The orders, in memory. Numbers are given in order; the same reference twice makes two orders."""

    def __init__(self, *, latency_s: float) -> None:
        self._latency_s = latency_s
        self._orders: dict[str, list[str]] = {}
        self._next = 0

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """An ASGI application. POST is an order; anything else asks."""
        if scope["type"] != "http":
            return
        status, body = await self._post(receive) if scope["method"] == "POST" else (200, self._get(scope))
        content = json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _post(self, receive: Any) -> tuple[int, dict[str, Any]]:
        order = json.loads(await _read(receive))
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        self._next += 1
        number = f"SO-{self._next:07d}"
        self._orders.setdefault(order["external_id"], []).append(number)
        return 201, {"number": number, "external_id": order["external_id"]}

    def _get(self, scope: Scope) -> dict[str, Any]:
        query = parse_qs(scope["query_string"].decode())
        if scope["path"] == "/count":
            return self.count(query.get("prefix", [""])[0])
        reference = query.get("external_id", [""])[0]
        return {"items": [{"number": number, "external_id": reference} for number in self._orders.get(reference, [])]}

    def count(self, prefix: str) -> dict[str, int]:
        found = Counter(
            {reference: len(numbers) for reference, numbers in self._orders.items() if reference.startswith(prefix)}
        )
        return {"orders": found.total(), "duplicates": found.total() - len(found)}


async def _read(receive: Any) -> bytes:
    content, more = b"", True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0)
    options = parser.parse_args()
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    config = uvicorn.Config(
        Books(latency_s=options.latency_ms / 1000), log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    server.run(sockets=[listener])


def _end_with_input(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    main()
