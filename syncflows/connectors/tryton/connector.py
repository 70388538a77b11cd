"""The protocol of `connectors.protocol`, spoken to Tryton. Which operation goes where; the work is in the modules named for what they handle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NoReturn

from syncflows.connectors.errors import BadWebhook, ConnectorError, Misconfigured, NotFound
from syncflows.connectors.protocol import JSON, Answer, Call, Guard, Health, Operation, WebhookEvent
from syncflows.connectors.tryton import cancellations, customers, invoices, orders, products, sales
from syncflows.connectors.tryton.batches import Batches
from syncflows.connectors.tryton.lookups import Lookups
from syncflows.connectors.tryton.orders import Placement
from syncflows.connectors.tryton.rpc import Rpc, correlated
from syncflows.connectors.tryton.settings import Settings

OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("create_customer", writes=True, guard=Guard.UNIQUE_REFERENCE),
        Operation("update_customer", writes=True, guard=Guard.UPSERT),
        Operation("create_product", writes=True, guard=Guard.UNIQUE_REFERENCE),
        Operation("create_order", writes=True, guard=Guard.LOOKUP),
        Operation("post_invoice", writes=True, guard=Guard.LOOKUP),
        Operation("cancel_order", writes=True, guard=Guard.LOOKUP, undoes="create_order", on_document=True),
        Operation("list_orders", writes=False),
        Operation("list_invoices", writes=False),
    )
}


class TrytonConnector:
    """One Tryton. Used by several threads at once; keeps nothing that a restart may not lose."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rpc = Rpc(settings)
        self._lookups = Lookups(self._rpc)
        self._orders: Batches[Placement] = Batches(
            lambda items: orders.place(self._rpc, items), size=settings.options.batch_size
        )
        self._writes: dict[str, Callable[[Call], Answer]] = {
            "create_customer": lambda call: customers.create(self._rpc, self._lookups, call),
            "update_customer": lambda call: customers.change(self._rpc, self._lookups, call),
            "create_product": lambda call: products.create(self._rpc, self._lookups, call),
            "create_order": self._create_order,
            "post_invoice": lambda call: invoices.post(self._rpc, call),
            "cancel_order": lambda call: cancellations.cancel(self._rpc, call),
        }
        self._finds: dict[str, Callable[[str], list[Answer]]] = {
            "create_customer": self._find_customer,
            "update_customer": self._find_customer,
            "create_product": self._find_product,
            "create_order": self._find_order,
            "post_invoice": lambda reference: invoices.find(self._rpc, reference),
            "cancel_order": lambda reference: cancellations.find(self._rpc, reference),
        }

    def operations(self) -> Mapping[str, Operation]:
        return OPERATIONS

    def execute(self, call: Call) -> Answer:
        """Idempotent: on the reference, for every operation."""
        write = self._writes.get(call.operation) or self._unknown(call.operation, self._writes)
        with correlated(call.correlation):
            return write(call)

    def find(self, operation: str, *, reference: str) -> list[Answer]:
        """Half-made orders too, with `complete` False: executing the same call continues them."""
        return (self._finds.get(operation) or self._unknown(operation, self._finds))(reference)

    def list_window(self, operation: str, *, since: datetime, until: datetime) -> Iterator[JSON]:
        """By sale date or invoice date: the days that the half-open window touches."""
        lists = {"list_orders": sales.window, "list_invoices": invoices.window}
        return (lists.get(operation) or self._unknown(operation, lists))(self._rpc, since=since, until=until)

    def get(self, operation: str, *, external_id: str) -> JSON:
        """By what `execute` answered: a sale's or invoice's number, a customer's code, a product's SKU. Raises NotFound."""
        if operation in {"create_order", "cancel_order", "list_orders"}:
            return sales.by_external_id(self._rpc, external_id)
        if operation in {"post_invoice", "list_invoices"}:
            return invoices.get(self._rpc, external_id)
        found = (self._finds.get(operation) or self._unknown(operation, OPERATIONS))(external_id)
        if not found:
            raise NotFound(
                f"Tryton has no {operation.removeprefix('create_').removeprefix('update_')} {external_id!r}."
            )
        return found[0].document

    def verify_webhook(
        self, *, headers: Mapping[str, str], body: bytes, now: datetime, uri: str = ""
    ) -> list[WebhookEvent]:
        raise BadWebhook(
            f"System {self._settings.name!r} is a Tryton, which signs no webhooks; nothing that claims to come from it can be trusted."
        )

    def health(self) -> Health:
        started = time.monotonic()
        try:
            user = self._rpc.session().user_id
            self._rpc.search("sale.sale", [["id", "=", 0]], ["id"], limit=1)
        except ConnectorError as error:
            return Health(ok=False, detail=error.message)
        latency_ms = round((time.monotonic() - started) * 1000)
        return Health(
            ok=True,
            detail=f"Tryton answers for database {self._settings.options.database}, as user {user}.",
            latency_ms=latency_ms,
        )

    def close(self) -> None:
        self._rpc.close()

    def _create_order(self, call: Call) -> Answer:
        placement = orders.prepare(self._rpc, self._lookups, call)
        self._orders.submit(placement)
        return placement.result()

    def _find_order(self, reference: str) -> list[Answer]:
        return [sales.answer(item, created=False) for item in sales.by_reference(self._rpc, [reference])]

    def _find_customer(self, reference: str) -> list[Answer]:
        return [
            Answer(external_id=reference, document=item, created=False) for item in customers.find(self._rpc, reference)
        ]

    def _find_product(self, reference: str) -> list[Answer]:
        return [
            Answer(external_id=reference, document=item, created=False) for item in products.find(self._rpc, reference)
        ]

    def _unknown(self, operation: str, known: Mapping[str, object]) -> NoReturn:
        raise Misconfigured(
            f"System {self._settings.name!r} (Tryton) has no operation {operation!r} here. It has: {', '.join(sorted(known))}."
        )
