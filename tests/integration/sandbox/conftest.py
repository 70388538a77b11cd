"""A sandbox in a thread for each module, emptied before each test; clients that hold its tokens."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from syncflows.sandbox.server import SandboxServer
from tests.integration.sandbox.receivers import Receiver

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


def client_for(url: str, token: str = "") -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(store=tmp_path_factory.mktemp("sandbox") / "store.sqlite") as running:
        yield running


@pytest.fixture
def control(server: SandboxServer) -> Iterator[httpx.Client]:
    with client_for(f"{server.url}/_control") as client:
        client.post("/reset").raise_for_status()
        client.post("/settings", json={"webhooks": {"retry_base_s": 0.02}}).raise_for_status()
        yield client


@pytest.fixture
def crm(server: SandboxServer, control: httpx.Client) -> Iterator[httpx.Client]:
    with client_for(f"{server.url}/crm", "crm-demo-token") as client:
        yield client


@pytest.fixture
def erp(server: SandboxServer, control: httpx.Client) -> Iterator[httpx.Client]:
    with client_for(f"{server.url}/erp", "erp-demo-token") as client:
        yield client


@pytest.fixture
def desk(server: SandboxServer, control: httpx.Client) -> Iterator[httpx.Client]:
    with client_for(f"{server.url}/desk", "desk-demo-token") as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def hook(crm: httpx.Client, receiver: Receiver) -> dict[str, Any]:
    answer = crm.post("/webhooks", json={"url": receiver.url, "secret": SECRET})
    return answer.raise_for_status().json()


@pytest.fixture
def add_fault(control: httpx.Client) -> Callable[..., dict[str, Any]]:
    def add(kind: str, system: str = "erp", **rest: Any) -> dict[str, Any]:
        answer = control.post("/faults", json={"kind": kind, "system": system, **rest})
        return answer.raise_for_status().json()

    return add


@pytest.fixture
def order(erp: httpx.Client) -> dict[str, Any]:
    """A correct order for a customer that exists; not posted yet."""
    customer = erp.post("/customers", json={"name": "Amberley Foundry", "external_id": "acc_1"}).json()
    return make_order(customer["id"], "opp-1")


def make_order(customer_id: str, external_id: str, price: str = "527.00", quantity: int = 2) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "customer_id": customer_id,
        "currency": "USD",
        "order_date": "2026-03-01",
        "lines": [{"sku": "KI-CAL-100", "quantity": quantity, "unit_price": price, "list_price": "550.00"}],
        "total": f"{Decimal(price) * quantity:.2f}",
    }
