"""A stranger's ERP on loopback, as small and as cheap as one can be: takes orders after some latency, counts them, recognises nothing twice.

`POST /orders`, `GET /orders?external_id=`, and `GET /count?prefix=` for the judge. A process of its own; ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

REASONS = {200: b"OK", 201: b"Created"}


@dataclass
class Account:
    """Orders of one prefix. at: monotonic, which all processes of a machine share."""

    orders: int = 0
    references: set[str] = field(default_factory=set)
    first_at: float = 0.0
    last_at: float = 0.0

    def shown(self) -> dict[str, Any]:
        duplicates = self.orders - len(self.references)
        return {"orders": self.orders, "duplicates": duplicates, "first_at": self.first_at, "last_at": self.last_at}


class Books:
    """The orders, in memory. Numbers are given in order; the same reference twice makes two orders."""

    def __init__(self, *, latency_s: float) -> None:
        self.latency_s = latency_s
        self._orders: dict[str, list[str]] = {}
        self._accounts: dict[str, Account] = {}
        self._next = 0

    def take(self, body: bytes) -> dict[str, Any]:
        reference = json.loads(body)["external_id"]
        self._next += 1
        number = f"SO-{self._next:07d}"
        self._orders.setdefault(reference, []).append(number)
        account = self._accounts.setdefault(reference.rpartition("-")[0], Account())
        account.orders += 1
        account.references.add(reference)
        account.last_at = time.monotonic()
        account.first_at = account.first_at or account.last_at
        return {"number": number, "external_id": reference}

    def answer(self, target: str) -> dict[str, Any]:
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        if parts.path == "/count":
            return self._accounts.get(query.get("prefix", [""])[0], Account()).shown()
        reference = query.get("external_id", [""])[0]
        return {"items": [{"number": number, "external_id": reference} for number in self._orders.get(reference, [])]}


class Caller(asyncio.Protocol):
    """One kept-open connection. A caller asks the next thing only once it was answered, so nothing overtakes anything."""

    def __init__(self, books: Books) -> None:
        self.books, self.buffer = books, b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            whole = end + 4 + _length(head)
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            self._answer(head, body)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None

    def _answer(self, head: bytes, body: bytes) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method != "POST":
            self._write(200, self.books.answer(target))
        elif self.books.latency_s:
            asyncio.get_running_loop().call_later(self.books.latency_s, self._order, body)
        else:
            self._order(body)

    def _order(self, body: bytes) -> None:
        self._write(201, self.books.take(body))

    def _write(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        if self.transport is not None:
            self.transport.write(head % (status, REASONS[status], len(text)) + text)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(books: Books) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Caller(books), "127.0.0.1", 0, backlog=512)
    print(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0)
    options = parser.parse_args()
    gc.disable()
    asyncio.run(serve(Books(latency_s=options.latency_ms / 1000)))


if __name__ == "__main__":
    main()
