"""The contract kit against the declarative connector: a stranger's ERP, and the sandbox's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from syncflows.connectors import registry
from syncflows.connectors.protocol import JSON
from syncflows.sandbox.server import SandboxServer
from tests.contract.connector_kit import AFTER_COMMIT, RETRY_AFTER_S, ConnectorContract, Fault
from tests.servers import stranger_erp
from tests.servers.stranger_erp import Trouble

HOSTILE = ("a/b?c=d&e#f", "../../ping", "ä ö%2F%00", "x'\" OR 1=1", "{reference}", "+%20+")
TIMEOUTS = {"connect_s": 2, "read_s": 0.3}

STRANGER: dict[str, Any] = {
    "auth": {"type": "header", "name": "X-Api-Key", "value": {"env": "STRANGER_KEY", "default": stranger_erp.API_KEY}},
    "timeouts": TIMEOUTS,
    "health": "/ping",
    "operations": {
        "create_document": {
            "method": "POST",
            "path": "/salesDocuments",
            "headers": {"Idempotency-Key": "{idempotency_key}"},
            "body": "{'client_ref': reference, 'customerName': document.customer, 'docDate': document.date, 'curr': 'EUR', "
            "'grandTotal': document.total, 'positions': document.lines.map(l, {'article': l.sku, 'qty': l.quantity, 'price': l.price})}",
            "external_id": "answer.result.docNo",
            "document": "answer.result",
            "find": {
                "path": "/salesDocuments",
                "query": {"client_ref": "{reference}"},
                "items": "answer.data",
                "external_id": "item.docNo",
            },
        },
        "list_documents": {
            "method": "GET",
            "path": "/salesDocuments",
            "query": {"fromDate": "{since_date}", "toDate": "{until_date}"},
            "items": "answer.data",
            "paging": {"type": "page", "param": "page", "size": 3, "size_param": "perPage"},
        },
        "get_document": {"method": "GET", "path": "/salesDocuments/{external_id}", "document": "answer.result"},
    },
}
TROUBLES = {
    Fault.TIMEOUT_AFTER_COMMIT: Trouble("", after=True, hang=True),
    Fault.CUT_BEFORE_COMMIT: Trouble(""),
    Fault.CUT_AFTER_COMMIT: Trouble("", after=True),
    Fault.ERROR_AFTER_COMMIT: Trouble("", after=True, status=500, body=b'{"fault": {"title": "Null pointer"}}'),
    Fault.GARBAGE_AFTER_COMMIT: Trouble("", after=True, status=200, body=b"<html>Welcome</html>"),
    Fault.UNAUTHORISED: Trouble("", status=401, body=f'{{"fault": "key {stranger_erp.API_KEY} expired"}}'.encode()),
    Fault.RATE_LIMITED: Trouble("", status=429, headers=(("Retry-After", str(RETRY_AFTER_S)),)),
    Fault.UNAVAILABLE: Trouble("", status=503, body=b"Back soon"),
}


class StrangerBench:
    create, read, listing = "create_document", "get_document", "list_documents"
    secrets = (stranger_erp.API_KEY,)
    faults = frozenset(Fault)
    page_size = 3
    hostile = HOSTILE
    missing_id = "D99999"

    def __init__(self, erp: stranger_erp.Erp) -> None:
        self.erp = erp
        self.connector = registry.build("http", name="stranger", spec={**STRANGER, "base_url": erp.url})

    def document(self, reference: str) -> JSON:
        lines = [{"sku": "A-1", "quantity": 2, "price": "527.05"}]
        return {
            "customer": "Käthe & Söhne",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "total": "1054.10",
            "lines": lines,
        }

    def bad_document(self, reference: str) -> JSON:
        return {**self.document(reference), "total": "1054.11"}

    def count(self, reference: str) -> int:
        return len(self.erp.books.with_reference(reference))

    def add_behind(self, reference: str) -> None:
        document = self.document(reference)
        self.erp.books.add({"client_ref": reference, "docDate": document["date"], "grandTotal": document["total"]})

    def reference_of(self, item: JSON) -> str:
        return str(item["client_ref"])

    def fault(self, kind: Fault, *, writes: bool) -> AbstractContextManager[None]:
        made = TROUBLES[kind]
        method = "POST" if writes else "GET"
        return self.erp.books.troubled(Trouble(method, made.after, made.status, made.body, made.headers, made.hang))


@pytest.fixture(scope="module")
def erp() -> Iterator[stranger_erp.Erp]:
    with stranger_erp.running() as erp:
        yield erp


class TestStrangersErp(ConnectorContract):
    @pytest.fixture
    def bench(self, erp: stranger_erp.Erp) -> Iterator[StrangerBench]:
        bench = StrangerBench(erp)
        yield bench
        bench.connector.close()


SANDBOX: dict[str, Any] = {
    "auth": {"type": "bearer", "token": {"env": "SANDBOX_ERP_TOKEN", "default": "erp-demo-token"}},
    "timeouts": TIMEOUTS,
    "health": "/orders?limit=1",
    "operations": {
        "create_order": {
            "method": "POST",
            "path": "/orders",
            "headers": {"Idempotency-Key": "{idempotency_key}"},
            "external_id": "answer.number",
            "find": {"path": "/orders", "query": {"external_id": "{reference}"}, "external_id": "item.number"},
        },
        "list_orders": {
            "method": "GET",
            "path": "/orders",
            "query": {"created_from": "{since}", "created_to": "{until}"},
            "items": "answer.items",
            "paging": {"type": "cursor", "next": "answer.next_cursor", "size": 3, "size_param": "limit"},
        },
        "get_order": {"method": "GET", "path": "/orders/{external_id}"},
    },
}
FAULTS: dict[Fault, dict[str, Any]] = {
    Fault.TIMEOUT_AFTER_COMMIT: {"kind": "timeout_after_commit", "params": {"hang_s": 1}},
    Fault.CUT_BEFORE_COMMIT: {"kind": "cut_before_commit"},
    Fault.CUT_AFTER_COMMIT: {"kind": "cut_after_commit"},
    Fault.ERROR_AFTER_COMMIT: {"kind": "status_after_commit", "params": {"status": 502}},
    Fault.GARBAGE_AFTER_COMMIT: {"kind": "rename_field", "params": {"from": "number", "to": "nummer"}},
    Fault.UNAUTHORISED: {"kind": "expire_credential"},
    Fault.RATE_LIMITED: {"kind": "status", "params": {"status": 429, "retry_after": RETRY_AFTER_S}},
    Fault.UNAVAILABLE: {"kind": "status", "params": {"status": 503}},
}


class SandboxBench:
    create, read, listing = "create_order", "get_order", "list_orders"
    secrets = ("erp-demo-token",)
    faults = frozenset(Fault)
    page_size = 3
    hostile = HOSTILE
    missing_id = "SO-999999"

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": "Bearer erp-demo-token"}, trust_env=False)
        self.connector = registry.build("http", name="sandbox-erp", spec={**SANDBOX, "base_url": f"{url}/erp/"})
        self.customer_id = self._post("/erp/customers", {"name": "Kit", "external_id": "kit"})["id"]

    def document(self, reference: str) -> JSON:
        lines = [{"sku": "A-1", "quantity": 2, "unit_price": "527.05"}]
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        return {
            "external_id": reference,
            "customer_id": self.customer_id,
            "currency": "USD",
            "order_date": day,
            "lines": lines,
            "total": "1054.10",
        }

    def bad_document(self, reference: str) -> JSON:
        return {**self.document(reference), "customer_id": "cus_nobody"}

    def count(self, reference: str) -> int:
        found = self.http.get("/erp/orders", params={"external_id": reference}).raise_for_status().json()
        return len(found["items"])

    def add_behind(self, reference: str) -> None:
        self._post("/erp/orders", self.document(reference))

    def reference_of(self, item: JSON) -> str:
        return str(item["external_id"])

    @contextmanager
    def fault(self, kind: Fault, *, writes: bool) -> Iterator[None]:
        made = self._post("/_control/faults", {"system": "erp", "method": "POST" if writes else "GET", **FAULTS[kind]})
        try:
            yield
        finally:
            self.http.delete(f"/_control/faults/{made['id']}").raise_for_status()

    def _post(self, path: str, body: JSON) -> JSON:
        made: JSON = self.http.post(path, json=body).raise_for_status().json()
        return made


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with SandboxServer(store=tmp_path_factory.mktemp("kit") / "store.sqlite") as sandbox:
        yield sandbox.url


class TestSandboxErp(ConnectorContract):
    @pytest.fixture
    def bench(self, sandbox_url: str) -> Iterator[SandboxBench]:
        bench = SandboxBench(sandbox_url)
        yield bench
        bench.connector.close()
        bench.http.close()


def test_every_fault_after_the_commit_is_covered() -> None:
    assert set(AFTER_COMMIT) <= set(TROUBLES) & set(FAULTS)
