"""A TCP proxy that carries every request to the real server and, when told to, keeps the answer to itself: the time-out after commit."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class LossyProxy(socketserver.ThreadingTCPServer):
    """`lose`: texts; the next request that holds one is done and not answered, once each. `hold`: keep the client waiting instead of hanging up."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.lose: list[str] = []
        self.hold = False
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def is_lost(self, request: bytes) -> bool:
        found = next((text for text in self.lose if text.encode() in request), None)
        if found:
            self.lose.remove(found)
        return found is not None


class _Exchange(socketserver.BaseRequestHandler):
    server: LossyProxy

    def handle(self) -> None:
        request = _whole_request(self.request)
        if not request:
            return
        self.server.requests.append(request)
        lost = self.server.is_lost(request)
        answer = self._ask(request)
        if not lost:
            self.request.sendall(answer)
        elif self.server.hold:
            self.request.recv(1)  # until the client has had enough

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(self.server.upstream) as upstream:
            upstream.sendall(request)
            return b"".join(iter(lambda: upstream.recv(65536), b""))


def _whole_request(connection: socket.socket) -> bytes:
    """One request; answers to it close the connection, as Tryton's own do."""
    found = b""
    while b"\r\n\r\n" not in found:
        part = connection.recv(65536)
        if not part:
            return b""
        found += part
    head, _, body = found.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head.replace(b"Connection: keep-alive", b"Connection: close") + b"\r\n\r\n" + body


@contextmanager
def proxying(upstream: str) -> Iterator[LossyProxy]:
    with LossyProxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
