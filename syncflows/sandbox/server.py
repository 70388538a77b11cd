"""Starts the sandbox: in the foreground of a process, or in a thread for tests. Loopback unless told otherwise."""

import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TextIO

import uvicorn

from syncflows.sandbox.app import build_app
from syncflows.sandbox.enums import SystemName
from syncflows.sandbox.errors import SandboxStartError
from syncflows.sandbox.world import World

DEFAULT_PORT = 8100
DEFAULT_STORE = Path(".meshline/sandbox/sandbox.sqlite")
START_TIMEOUT_S = 10
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Left to `ending_on_signals`: uvicorn would raise the signal again afterwards, and end with its number."""
        yield


@contextmanager
def ending_on_signals(server: uvicorn.Server) -> Iterator[None]:
    before = {number: signal.signal(number, server.handle_exit) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SandboxStartError.

    The protocol is named because asyncio sets TCP_NODELAY only then; without it each answer waits 40 ms.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        raise SandboxStartError(f"Cannot listen on {host}:{port}: {error}. Give another --port.") from error
    return listener


def _make_server(world: World) -> _Server:
    config = uvicorn.Config(
        build_app(world),
        http=world.connections.protocol(),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(
    *, host: str = "127.0.0.1", port: int = DEFAULT_PORT, store: Path | str = DEFAULT_STORE, out: TextIO | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. Port 0 takes a free one. Raises SandboxStartError."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    listener = bind(host, port)
    world = World(store)
    try:
        server = _make_server(world)
        with ending_on_signals(server):
            announce(world, address_of(listener), out or sys.stderr)
            server.run(sockets=[listener])
    finally:
        world.close()
        listener.close()


def announce(world: World, url: str, out: TextIO) -> None:
    lines = [f"Sandbox  {url}/  (store {world.store.path})"]
    for name in SystemName:
        lines.append(f"  {name:<5} {url}/{name}  Authorization: Bearer {world.settings.of(name).token}")
    lines.append(f"  control {url}/_control/faults  settings  seed  reset  ledger")
    print("\n".join(lines), file=out, flush=True)


class SandboxServer:
    """A sandbox in a thread of this process: `with SandboxServer(store=path) as sandbox: sandbox.url`."""

    def __init__(self, *, store: Path | str, host: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = bind(host, port)
        self.url = address_of(self._listener)
        try:
            self._world = World(store)
        except SandboxStartError:
            self._listener.close()
            raise
        self._server = _make_server(self._world)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="sandbox", daemon=True
        )

    def start(self) -> "SandboxServer":
        self._thread.start()
        waited = threading.Event()
        for _ in range(START_TIMEOUT_S * 100):
            if self._server.started:
                return self
            waited.wait(0.01)
        raise SandboxStartError(f"The sandbox at {self.url} did not start within {START_TIMEOUT_S} s.")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(START_TIMEOUT_S)
        self._world.close()
        self._listener.close()

    def __enter__(self) -> "SandboxServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
