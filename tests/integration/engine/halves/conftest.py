"""The company of five steps in a sandbox of the module, emptied before each test."""

from collections.abc import Iterator

import httpx
import pytest

from syncflows.engine import connections
from syncflows.sandbox.server import SandboxServer
from tests.integration.engine.halves import company


@pytest.fixture
def url(sandbox: SandboxServer, transactional_db: None) -> Iterator[str]:
    httpx.post(f"{sandbox.url}/_control/reset", trust_env=False).raise_for_status()
    company.define(sandbox.url)
    yield sandbox.url
    connections.close_all()
