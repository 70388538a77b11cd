"""The doors over real HTTP."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from pytest_django.live_server_helper import LiveServer

from meshline.kernel import actors
from ownership import tokens
from syncflows import hooks
from tests.integration.engine.door import doorstep

Caller = Callable[..., httpx.Client]


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[hooks.Failure]:
    """What would become tickets."""
    found: list[hooks.Failure] = []
    monkeypatch.setattr(hooks, "_failures", [found.extend])
    return found


@pytest.fixture
def caller(live_server: LiveServer) -> Iterator[Caller]:
    """Makes HTTP clients with a token of these scopes, for a server that knows system crm."""
    doorstep.crm()
    clients = []

    def make(*scopes: str, systems: tuple[str, ...] = ()) -> httpx.Client:
        _, secret = tokens.create(name="crm sender", scopes=scopes, systems=systems, by=actors.system("test"))
        clients.append(httpx.Client(base_url=live_server.url, headers={"Authorization": f"Bearer {secret}"}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def sender(caller: Caller) -> httpx.Client:
    return caller("events:write")
