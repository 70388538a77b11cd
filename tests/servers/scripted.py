"""An HTTP server that answers what a test scripts, and remembers what it was asked. Raw enough to break off wherever a test wants."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Asked], bytes]


def answer(status: int, body: bytes = b"{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Requests of one connection; an empty script's answer, or `self.server.after` of them, ends it."""
        server: Scripted = self.server  # type: ignore[assignment]
        served = 0
        while asked := self._read():
            server.asked.append(asked)
            said = server.script(asked)
            if not said:
                return
            self.wfile.write(said)
            served += 1
            if server.requests_per_connection and served >= server.requests_per_connection:
                return

    def _read(self) -> Asked | None:
        first = self.rfile.readline().decode().split()
        if len(first) < 2:
            return None
        headers = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Asked(first[0], first[1], headers, self.rfile.read(int(headers.get("content-length", 0))))


class Scripted(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, script: Script, *, requests_per_connection: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.requests_per_connection = requests_per_connection
        self.asked: list[Asked] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


@contextmanager
def serving(script: Script, *, requests_per_connection: int = 0) -> Iterator[Scripted]:
    server = Scripted(script, requests_per_connection=requests_per_connection)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
