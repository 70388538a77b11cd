"""An HTTP forwarder on loopback that counts what passes, by method and path: what was asked of a server, and what was not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

KEPT = ("authorization", "content-type", "idempotency-key", "accept")


class Counting(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = httpx.Client(base_url=upstream, trust_env=False)
        self.counted: Counter[str] = Counter()
        self.most_at_once = 0
        self.now = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def writes(self) -> int:
        return sum(number for name, number in self.counted.items() if not name.startswith("GET "))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on us is no event worth a trace."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Counting

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's own name
        pass

    def _pass_on(self) -> None:
        with self.server.lock:
            self.server.counted[f"{self.command} {self.path.partition('?')[0]}"] += 1
            self.server.now += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.now)
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: self.headers[name] for name in KEPT if name in self.headers}
        answer = self.server.upstream.request(self.command, self.path, content=content, headers=headers)
        with self.server.lock:
            self.server.now -= 1
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers.get("content-type", "application/json"))
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_PATCH(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()


@contextmanager
def running(upstream: str) -> Iterator[Counting]:
    proxy = Counting(upstream)
    thread = threading.Thread(
        target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, name="counting-proxy", daemon=True
    )
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        proxy.upstream.close()
        thread.join(5)
