"""The doors over HTTP: in this process for most, over a real socket where that is the question."""

import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
import uvicorn
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from pytest_django.live_server_helper import LiveServer

from meshline.kernel import actors
from meshline.served import Application
from ownership import tokens
from syncflows import hooks
from syncflows.engine.door import memory
from tests.integration.engine.door import doorstep
from tests.polling import until

Caller = Callable[..., httpx.Client]


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[hooks.Failure]:
    """What would become tickets."""
    found: list[hooks.Failure] = []
    monkeypatch.setattr(hooks, "_failures", [found.extend])
    return found


@pytest.fixture
def caller(db: None) -> Iterator[Caller]:
    """Makes HTTP clients with a token of these scopes, for an installation that knows system crm."""
    signals = (request_started, request_finished)
    for signal in signals:  # as Django's own test client: the connection is the test's
        signal.disconnect(close_old_connections)
    yield from _callers(
        lambda: httpx.Client(transport=httpx.WSGITransport(get_wsgi_application()), base_url="http://localhost")
    )
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def live_caller(transactional_db: None, live_server: LiveServer) -> Iterator[Caller]:
    """The same over a socket."""
    yield from _callers(lambda: httpx.Client(base_url=live_server.url))


def _callers(connect: Callable[[], httpx.Client]) -> Iterator[Caller]:
    doorstep.crm()
    clients = []

    def make(*scopes: str, systems: tuple[str, ...] = ()) -> httpx.Client:
        _, secret = tokens.create(name="crm sender", scopes=scopes, systems=systems, by=actors.system("test"))
        clients.append(connect())
        clients[-1].headers["Authorization"] = f"Bearer {secret}"
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def sender(caller: Caller) -> httpx.Client:
    return caller("events:write")


@pytest.fixture
def front(transactional_db: None) -> Iterator[str]:
    """The address of the product as it is served: a web server with an event loop, in a thread of its own."""
    memory.forget()
    config = uvicorn.Config(
        Application(get_wsgi_application()), host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, timeout_s=20, what="the web server has not started")
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.should_exit = True
    thread.join()
