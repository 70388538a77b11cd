"""A loopback proxy in front of a server that is not ours to break: it cuts, delays or answers itself, after the real server has done the work or before."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Trouble:
    """What happens to a request for which `when` is true. forward: the real server gets it. reply: what the client gets instead of its answer;
    None: nothing. hold: and the client is kept waiting for that nothing. once: the first time only."""

    when: Callable[[bytes], bool]
    forward: bool = True
    reply: bytes | None = None
    hold: bool = False
    once: bool = False


class LossyProxy(socketserver.ThreadingTCPServer):
    """`troubles` may be changed at any time; `requests` holds all that came."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.troubles: list[Trouble] = []
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def lose(self, text: str, *, hold: bool = False) -> None:
        """The next request that holds this text is done and not answered."""
        self.troubles.append(Trouble(lambda request: text.encode() in request, hold=hold, once=True))

    def trouble_of(self, request: bytes) -> Trouble | None:
        self.requests.append(request)
        found = next((trouble for trouble in self.troubles if trouble.when(request)), None)
        if found and found.once:
            self.troubles.remove(found)
        return found


class _Exchange(socketserver.BaseRequestHandler):
    server: LossyProxy

    def handle(self) -> None:
        request = _whole_request(self.request)
        if not request:
            return
        trouble = self.server.trouble_of(request)
        answer = self._ask(request) if trouble is None or trouble.forward else b""
        if trouble is None:
            self.request.sendall(answer)
        elif trouble.reply is not None:
            self.request.sendall(trouble.reply)
        elif trouble.hold:
            self.request.recv(1)  # until the client has had enough

    def _ask(self, request: bytes) -> bytes:
        with socket.create_connection(self.server.upstream) as upstream:
            upstream.sendall(request)
            return b"".join(iter(lambda: upstream.recv(65536), b""))


def reply(status: int, body: str = "", **headers: str) -> bytes:
    """A whole HTTP answer, after which the connection closes."""
    lines = [f"HTTP/1.1 {status} Trouble", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


def _whole_request(connection: socket.socket) -> bytes:
    """One request, with the server asked to close after it."""
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
    return head.replace(b"keep-alive", b"close") + b"\r\n\r\n" + body


@contextmanager
def proxying(upstream: str) -> Iterator[LossyProxy]:
    with LossyProxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
