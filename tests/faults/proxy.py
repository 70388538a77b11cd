"""A TCP proxy on loopback that delays, trickles, cuts and drops, by the call and by the byte. Knows nothing of what is said through it.

A call begins with the first bytes a client sends after it was answered. `trouble` says what happens to the next calls; without any, bytes pass.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

CHUNK_BYTES = 65536
TRICKLED_BYTES = 200
IDLE_S = 120


class Kind(StrEnum):
    """What may happen to a call."""

    REFUSED = "refused"  # the client is hung up on before anything is forwarded
    LATE = "late"  # forwarded only after `seconds`, whether or not the client still waits
    CUT_REQUEST = "cut_request"  # only `bytes` of the request arrive
    NO_ANSWER = "no_answer"  # done by the server, and its answer swallowed
    HELD_ANSWER = "held_answer"  # done by the server, its answer swallowed, and the client left waiting for `seconds`
    CUT_ANSWER = "cut_answer"  # done by the server, and only `bytes` of its answer arrive
    TRICKLE = "trickle"  # the answer comes a byte at a time, over `seconds`


@dataclass(frozen=True)
class Trouble:
    """kind: see Kind. bytes: how many still pass. seconds: how long it takes. chance: of each call to meet it."""

    kind: Kind
    bytes: int = 0
    seconds: float = 0.0
    chance: float = 1.0


@dataclass
class _Call:
    """One call on one connection: what happens to it, and how much has passed."""

    trouble: Trouble | None = None
    sent: int = 0
    answered: int = 0


@dataclass
class FaultyProxy:
    """Start with `with`. Threads end with their connections; all of them with the block."""

    upstream: str
    draw: random.Random = field(default_factory=random.Random)
    met: dict[Kind, int] = field(default_factory=dict)

    def __enter__(self) -> FaultyProxy:
        parts = urlsplit(self.upstream)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._lock, self._troubles = threading.Lock(), list[tuple[Trouble, int]]()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for one in left:
            _hang_up(one)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def trouble(self, trouble: Trouble, *, calls: int) -> None:
        """The next `calls` calls may meet it, after those that wait already."""
        with self._lock:
            self._troubles.append((trouble, calls))

    def calm(self) -> None:
        with self._lock:
            self._troubles.clear()

    def _next(self) -> Trouble | None:
        with self._lock:
            if not self._troubles:
                return None
            trouble, left = self._troubles.pop(0)
            if left > 1:
                self._troubles.insert(0, (trouble, left - 1))
            if self.draw.random() >= trouble.chance:
                return None
            self.met[trouble.kind] = self.met.get(trouble.kind, 0) + 1
            return trouble

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=IDLE_S)
        except OSError:
            _hang_up(client)
            return
        pair, call = (client, server), _Call()
        with self._lock:
            self._open.update(pair)
        for one in pair:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.settimeout(IDLE_S)
        answers = threading.Thread(target=self._pass_answers, args=(*pair, call), daemon=True)
        answers.start()
        self._pass_requests(client, server, call)
        answers.join()
        with self._lock:
            self._open.difference_update(pair)

    def _pass_requests(self, client: socket.socket, server: socket.socket, call: _Call) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(CHUNK_BYTES):
                if call.answered or not call.sent:
                    call.trouble, call.sent, call.answered = self._next(), 0, 0
                if not self._forward(chunk, server, call):
                    break
                call.sent += len(chunk)
        _hang_up(client, server)

    def _forward(self, chunk: bytes, server: socket.socket, call: _Call) -> bool:
        """False to hang up."""
        trouble = call.trouble
        if trouble and trouble.kind == Kind.REFUSED:
            return False
        if trouble and trouble.kind == Kind.LATE and not call.sent:
            time.sleep(trouble.seconds)
        if trouble and trouble.kind == Kind.CUT_REQUEST:
            server.sendall(chunk[: max(0, trouble.bytes - call.sent)])
            return call.sent + len(chunk) < trouble.bytes
        server.sendall(chunk)
        return True

    def _pass_answers(self, client: socket.socket, server: socket.socket, call: _Call) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(CHUNK_BYTES):
                if not self._answer(chunk, client, call):
                    break
                call.answered += len(chunk)
        _hang_up(client, server)

    def _answer(self, chunk: bytes, client: socket.socket, call: _Call) -> bool:
        """False to hang up."""
        trouble = call.trouble
        if trouble and trouble.kind in (Kind.NO_ANSWER, Kind.HELD_ANSWER):
            time.sleep(trouble.seconds if trouble.kind == Kind.HELD_ANSWER else 0)
            return False
        if trouble and trouble.kind == Kind.CUT_ANSWER:
            client.sendall(chunk[: max(0, trouble.bytes - call.answered)])
            return call.answered + len(chunk) < trouble.bytes
        if trouble and trouble.kind == Kind.TRICKLE and not call.answered:
            for place in range(min(len(chunk), TRICKLED_BYTES)):
                client.sendall(chunk[place : place + 1])
                time.sleep(trouble.seconds / TRICKLED_BYTES)
            chunk = chunk[TRICKLED_BYTES:]
        client.sendall(chunk)
        return True


def _hang_up(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
