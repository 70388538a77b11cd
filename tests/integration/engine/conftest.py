"""A sandbox in a thread for the module, emptied before each test, and the deals definitions against it."""

from collections.abc import Iterator

import httpx
import pytest

from syncflows.engine import connections
from syncflows.sandbox.server import SandboxServer
from tests.integration.engine import deals


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(store=tmp_path_factory.mktemp("erp") / "store.sqlite") as running:
        yield running


@pytest.fixture
def erp(sandbox: SandboxServer, transactional_db: None) -> Iterator[str]:
    """The sandbox's address, its books empty, the definitions applied."""
    httpx.post(f"{sandbox.url}/_control/reset", trust_env=False).raise_for_status()
    deals.define(sandbox.url)
    yield sandbox.url
    connections.close_all()


@pytest.fixture
def customer_id(erp: str) -> str:
    return deals.customer(erp)
