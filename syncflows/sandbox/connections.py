"""Open TCP connections by peer address, so that a fault can cut one without an answer."""

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

Peer = tuple[str, int]


class Connections:
    def __init__(self) -> None:
        self._open: dict[Peer, asyncio.BaseTransport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's HTTP protocol that keeps this register."""
        opened = self._open

        class RegisteredProtocol(H11Protocol):
            def connection_made(self, transport: Any) -> None:
                self.peer = tuple((transport.get_extra_info("peername") or ("", 0))[:2])
                opened[self.peer] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                opened.pop(self.peer, None)
                super().connection_lost(exc)

        return RegisteredProtocol

    def cut(self, peer: Peer) -> None:
        transport = self._open.get(tuple(peer))  # type: ignore[arg-type]
        if transport is not None:
            transport.abort()  # type: ignore[attr-defined]


class CutConnection(Response):
    """Closes the connection and sends not one byte."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._connections.cut(scope["client"])
        while (await receive())["type"] != "http.disconnect":
            pass
