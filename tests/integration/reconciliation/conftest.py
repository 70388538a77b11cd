"""A sandbox ERP in a thread for the module, emptied before each test, and the deals flow against it."""

from collections.abc import Iterator

import httpx
import pytest

from syncflows.engine import connections
from syncflows.sandbox.server import SandboxServer
from tests.factories import comparisons


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(store=tmp_path_factory.mktemp("erp") / "store.sqlite") as running:
        yield running


@pytest.fixture
def url(sandbox: SandboxServer, db: None) -> Iterator[str]:
    """The sandbox's address, its books empty, the definitions applied."""
    httpx.post(f"{sandbox.url}/_control/reset", trust_env=False).raise_for_status()
    comparisons.define(sandbox.url)
    yield sandbox.url
    connections.close_all()


@pytest.fixture
def erp(url: str) -> Iterator[httpx.Client]:
    with comparisons.client(url) as client:
        yield client


@pytest.fixture
def customer_id(url: str) -> str:
    return comparisons.customer(url)
