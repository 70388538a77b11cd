"""The contract kit against a real Tryton, with a proxy in front that loses answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from syncflows.connectors.protocol import JSON
from tests.contract.connector_kit import RETRY_AFTER_S, ConnectorContract, Fault
from tests.servers import lossy_proxy
from tests.servers.lossy_proxy import LossyProxy, Trouble
from tests.tryton_server import Tryton

pytestmark = [pytest.mark.xdist_group("tryton"), pytest.mark.slow]

WRITES = tuple(f'"model.sale.sale.{name}"'.encode() for name in ("create", "write", "quote", "confirm", "process"))
# A refused log-in is remembered for some seconds; `test_tryton_faults` looks at that.
LOGIN = (b"common.db.login", b"res.user.get_preferences")
# Long enough for one call of a busy Tryton, short enough to wait for.
IMPATIENCE_S = 1.0
TROUBLES: dict[Fault, dict[str, object]] = {
    Fault.TIMEOUT_AFTER_COMMIT: {"hold": True},
    Fault.CUT_BEFORE_COMMIT: {"forward": False},
    Fault.CUT_AFTER_COMMIT: {},
    Fault.ERROR_AFTER_COMMIT: {"reply": lossy_proxy.reply(500, "Internal Server Error")},
    Fault.GARBAGE_AFTER_COMMIT: {"reply": lossy_proxy.reply(200, "<html>Welcome</html>")},
    Fault.UNAUTHORISED: {"forward": False, "reply": lossy_proxy.reply(401)},
    Fault.RATE_LIMITED: {"forward": False, "reply": lossy_proxy.reply(429, Retry_After=str(RETRY_AFTER_S))},
    Fault.UNAVAILABLE: {"forward": False, "reply": lossy_proxy.reply(503, "Back soon")},
}


class TrytonBench:
    create, read, listing = "create_order", "list_orders", "list_orders"
    secrets = ("sync-pw-1234",)
    faults = frozenset(Fault)
    page_size = 2
    hostile = ("a/b?c=d&e#f", "%", "x'\" OR 1=1", "ä ö%2F_", "{reference}", "#1")
    missing_id = "SO-999999"

    def __init__(self, tryton: Tryton, proxy: LossyProxy) -> None:
        self.proxy = proxy
        self.clerk = tryton.rpc()
        self.patient = self.connector = tryton.connector(base_url=proxy.url, page_size=self.page_size)
        self.impatient = tryton.connector(base_url=proxy.url, page_size=self.page_size, read_s=IMPATIENCE_S)

    def document(self, reference: str) -> JSON:
        today = datetime.now(UTC).date().isoformat()
        lines = [{"sku": "SENS-100", "quantity": "2", "unit_price": "41.0050"}]
        return {
            "external_id": reference,
            "customer_id": "C-ACME",
            "currency": "USD",
            "order_date": today,
            "lines": lines,
        }

    def bad_document(self, reference: str) -> JSON:
        """Half a sensor: Tryton itself refuses it."""
        return self.document(reference) | {"lines": [{"sku": "SENS-100", "quantity": "1.5", "unit_price": "41"}]}

    def count(self, reference: str) -> int:
        return len(self.clerk.search("sale.sale", [["reference", "=", reference]], ["id"]))

    def add_behind(self, reference: str) -> None:
        (party,) = self.clerk.search("party.party", [["code", "=", "C-ACME"]], ["id"])
        self.clerk.write(
            "model.sale.sale.create",
            [{"party": party["id"], "reference": reference, "sale_date": datetime.now(UTC).date()}],
        )

    def reference_of(self, item: JSON) -> str:
        return str(item["reference"])

    @contextmanager
    def fault(self, kind: Fault, *, writes: bool) -> Iterator[None]:
        trouble = Trouble(
            lambda request: not _has(LOGIN, request) and _has(WRITES, request) == writes, **TROUBLES[kind]
        )
        self.proxy.troubles.append(trouble)
        self.connector = self.impatient if kind == Fault.TIMEOUT_AFTER_COMMIT else self.patient
        try:
            yield
        finally:
            self.connector = self.patient
            self.proxy.troubles.remove(trouble)

    def close(self) -> None:
        for connection in (self.clerk, self.patient, self.impatient):
            connection.close()


def _has(names: tuple[bytes, ...], request: bytes) -> bool:
    return any(name in request for name in names)


@pytest.fixture(scope="module")
def bench(tryton: Tryton) -> Iterator[TrytonBench]:
    with lossy_proxy.proxying(tryton.base_url) as proxy:
        made = TrytonBench(tryton, proxy)
        made.impatient.health()
        yield made
        made.close()


class TestTryton(ConnectorContract):
    pass
