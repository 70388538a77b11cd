"""A stranger's REST ERP, as we might meet it: its own field names, its own errors, page numbers, an API key, and no idempotency at all.

Speaks HTTP/1.1 with keep-alive on loopback, in threads of the test's process. Nothing here imports our own code.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

API_KEY = "stranger-api-key-7731"
BASE = "/api/v2"
PER_PAGE_MAX = 50
Document = dict[str, Any]


@dataclass
class Refusal(Exception):
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong. after: the work is done first. status None: no answer at all; hang: not even an end of the connection."""

    method: str
    after: bool = False
    status: int | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    hang: bool = False


class Books:
    """The ERP's store. `seen` keeps the headers of every request, for tests."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.documents: list[Document] = []
        self.seen: list[dict[str, str]] = []
        self.trouble: Trouble | None = None
        self.done = threading.Event()

    def add(self, given: Document) -> Document:
        with self.lock:
            number = f"D{len(self.documents) + 1:05d}"
            stored = {**given, "docNo": number, "state": "NEW", "enteredAt": datetime.now(UTC).isoformat()}
            self.documents.append(stored)
            return stored

    def with_reference(self, reference: str) -> list[Document]:
        with self.lock:
            return [document for document in self.documents if document["client_ref"] == reference]

    @contextmanager
    def troubled(self, trouble: Trouble) -> Iterator[None]:
        self.trouble, self.done = trouble, threading.Event()
        try:
            yield
        finally:
            self.trouble = None
            self.done.set()  # whoever hangs may go


def check(given: Any) -> Document:
    """Raises Refusal 422 with the stranger's own way of saying what is wrong."""
    problems = []
    if not isinstance(given, dict):
        raise Refusal(400, {"fault": {"title": "Body is not an object"}})
    for name in ("client_ref", "customerName", "docDate", "curr", "grandTotal", "positions"):
        if not given.get(name):
            problems.append({"property": name, "description": f"{name} must be given"})
    if not problems and total(given) != amount(given["grandTotal"]):
        problems.append({"property": "grandTotal", "description": f"positions add up to {total(given)}"})
    if problems:
        raise Refusal(422, {"problems": problems})
    return given


def total(given: Document) -> Decimal:
    return sum((amount(line["qty"]) * amount(line["price"]) for line in given["positions"]), Decimal(0))


def amount(value: Any) -> Decimal:
    if isinstance(value, float):
        raise Refusal(400, {"problems": [{"property": "*", "description": "amounts are text here"}]})
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise Refusal(422, {"problems": [{"property": "*", "description": f"{value!r} is no amount"}]}) from None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Erp

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
        pass

    def do_GET(self) -> None:
        self._serve(self._read)

    def do_POST(self) -> None:
        self._serve(self._write)

    def _serve(self, act: Any) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        books, trouble = self.server.books, self.server.books.trouble
        books.seen.append({name.lower(): value for name, value in self.headers.items()})
        struck = trouble is not None and trouble.method == self.command
        if struck and not trouble.after:
            return self._strike(trouble, books)
        try:
            if self.headers.get("X-Api-Key") != API_KEY:
                raise Refusal(401, {"fault": {"title": f"Unknown key {self.headers.get('X-Api-Key')}"}})
            status, body = act(content)
            headers: dict[str, str] = {}
        except Refusal as refusal:
            status, body, headers = refusal.status, refusal.body, refusal.headers
        if struck and status < 300:
            return self._strike(trouble, books)
        return self._answer(status, json.dumps(body).encode(), headers)

    def _strike(self, trouble: Trouble, books: Books) -> None:
        if trouble.status is not None:
            return self._answer(trouble.status, trouble.body, dict(trouble.headers))
        if trouble.hang:
            books.done.wait(30)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return None

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _write(self, content: bytes) -> tuple[int, Any]:
        if urlsplit(self.path).path != f"{BASE}/salesDocuments":
            raise Refusal(404, {"fault": {"title": "No such resource"}})
        try:
            given = json.loads(content)
        except ValueError:
            raise Refusal(400, {"fault": {"title": "Body is not JSON"}}) from None
        return 201, {"result": self.server.books.add(check(given))}

    def _read(self, content: bytes) -> tuple[int, Any]:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == f"{BASE}/ping":
            return 200, {"pong": True}
        if parts.path == f"{BASE}/salesDocuments":
            return 200, self._page(query)
        number = unquote(parts.path.removeprefix(f"{BASE}/salesDocuments/"))
        found = [document for document in self.server.books.documents if document["docNo"] == number]
        if not found:
            raise Refusal(404, {"fault": {"title": f"There is no document {number}"}})
        return 200, {"result": found[0]}

    def _page(self, query: dict[str, str]) -> Any:
        with self.server.books.lock:
            rows = list(self.server.books.documents)
        if "client_ref" in query:
            rows = [row for row in rows if row["client_ref"] == query["client_ref"]]
        rows = [row for row in rows if query.get("fromDate", "") <= row["docDate"] <= query.get("toDate", "9999")]
        size, number = min(int(query.get("perPage", 20)), PER_PAGE_MAX), int(query.get("page", 1))
        return {"data": rows[(number - 1) * size : number * size], "page": number, "count": len(rows)}


class Erp(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.books = Books()
        self.url = f"http://127.0.0.1:{self.server_address[1]}{BASE}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on us is no event worth a trace."""


@contextmanager
def running() -> Iterator[Erp]:
    erp = Erp()
    thread = threading.Thread(
        target=erp.serve_forever, kwargs={"poll_interval": 0.02}, name="stranger-erp", daemon=True
    )
    thread.start()
    try:
        yield erp
    finally:
        erp.shutdown()
        erp.server_close()
        thread.join(5)
