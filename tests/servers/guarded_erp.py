"""An ERP with one book of orders for each guard there is, and one trouble for each way in which an answer can be lost. Nothing here imports our own code.

`/<guard>/orders` takes orders; a reference says by its beginning which trouble it meets, the first time it is sent: `slow-17` is slow.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

HANG_S = 0.6
LATE_S = 0.7
LOOKS_LATE = 3
Order = dict[str, Any]


class Books:
    """What the ERP holds: orders by guard, how often each reference was sent and looked up."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.orders: dict[str, list[Order]] = defaultdict(list)
        self.sent: Counter[tuple[str, str]] = Counter()
        self.looked: Counter[tuple[str, str]] = Counter()
        self.answers: dict[str, Order] = {}

    def take(self, guard: str, given: Order, key: str) -> tuple[int, Order]:
        """One order by the promise of its guard."""
        with self.lock:
            mine = [order for order in self.orders[guard] if order["ref"] == given["ref"]]
            if guard == "key" and key in self.answers:
                return 200, self.answers[key]
            if guard == "unique" and mine:
                return 409, {"code": "duplicate"}
            if guard == "upsert" and mine:
                mine[0].update(given)
                return 200, mine[0]
            order = {**given, "id": f"{guard}-{len(self.orders[guard]) + 1}", "at": time.monotonic()}
            self.orders[guard].append(order)
            self.answers[key] = order
            return 201, order

    def look(self, guard: str, reference: str) -> list[Order]:
        """The orders of a reference, as far as a look-up of this trouble shows them by now."""
        with self.lock:
            self.looked[guard, reference] += 1
            found = [order for order in self.orders[guard] if order["ref"] == reference]
            if reference.startswith("appears_late"):
                return [order for order in found if time.monotonic() - order["at"] > LATE_S]
            if reference.startswith("appears_after_looks") and self.looked[guard, reference] < LOOKS_LATE:
                return []
            if reference.startswith("found_twice") and found:
                return [*found, {**found[0], "id": "stranger-1"}]
            return found

    def of(self, guard: str, reference: str) -> list[Order]:
        with self.lock:
            return [order for order in self.orders[guard] if order["ref"] == reference]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Erp

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        guard, reference = parts.path.split("/")[1], parse_qs(parts.query)["ref"][0]
        found = self.server.books.look(guard, reference)
        looks = self.server.books.looked[guard, reference]
        if reference.startswith("look_fails") and looks <= 2:
            return self._answer(500, {})
        if reference.startswith("look_refused"):
            return self._answer(400, {"code": "no_such_filter"})
        return self._answer(200, {"items": found})

    def do_POST(self) -> None:
        self._write()

    def do_PUT(self) -> None:
        self._write()

    def _write(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        guard, books = unquote(urlsplit(self.path).path).split("/")[1], self.server.books
        with books.lock:
            books.sent[guard, given["ref"]] += 1
            first = books.sent[guard, given["ref"]] == 1
        trouble = given["ref"].rpartition("-")[0] if first else ""
        self._by(trouble, guard, given, self.headers.get("Idempotency-Key", ""))

    def _by(self, trouble: str, guard: str, given: Order, key: str) -> None:
        take = lambda: self.server.books.take(guard, given, key)  # noqa: E731 - once, at the moment the trouble says
        if trouble == "cut_before_commit":
            return self._cut()
        if trouble == "busy":
            return self._answer(503, {})
        if trouble == "slow":
            time.sleep(HANG_S)
        status, order = take()
        if trouble in ("", "slow", "well"):
            return self._answer(status, order)
        if trouble == "timeout_after_commit":
            time.sleep(HANG_S)
        if trouble in ("error_after_commit", "busy_after_commit"):
            return self._answer(500 if trouble.startswith("error") else 503, {})
        if trouble == "duplicate_answer":
            return self._answer(409, {"code": "duplicate"})
        return self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True


class Erp(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.books = Books()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on us is no event worth a trace."""


@contextmanager
def running() -> Iterator[Erp]:
    erp = Erp()
    thread = threading.Thread(target=erp.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield erp
    finally:
        erp.shutdown()
        erp.server_close()
        thread.join(5)
