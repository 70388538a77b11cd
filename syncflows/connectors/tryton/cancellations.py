"""Takes an order back while Tryton has not processed it: the undo of create_order, for compensation."""

from __future__ import annotations

from syncflows.connectors.errors import Accounting
from syncflows.connectors.protocol import Answer, Call
from syncflows.connectors.tryton import documents, sales
from syncflows.connectors.tryton.rpc import Rpc
from syncflows.connectors.tryton.sales import State


def cancel(rpc: Rpc, call: Call) -> Answer:
    """Idempotent: a cancelled sale is the answer. Raises NotFound; Accounting for a sale with documents behind it, naming the remedy."""
    wanted = documents.read(documents.Cancellation, call.document, operation=call.operation)
    found = sales.one(rpc, wanted.order or call.reference)
    if found["state"] == State.CANCELLED:
        return Answer(external_id=found["external_id"], document=found, created=False)
    if found["state"] in sales.FINISHED:
        raise _gone_further(found["external_id"], found["state"])
    if found["state"] == State.CONFIRMED:
        rpc.write("model.sale.sale.draft", [found["id"]])
    rpc.write("model.sale.sale.cancel", [found["id"]])
    return Answer(external_id=found["external_id"], document=sales.by_ids(rpc, [found["id"]])[0], created=False)


def find(rpc: Rpc, reference: str) -> list[Answer]:
    """Sales of this reference that are cancelled."""
    return [
        Answer(external_id=item["external_id"], document=item, created=False)
        for item in sales.cancelled(rpc, reference)
    ]


def _gone_further(name: str, state: str) -> Accounting:
    return Accounting(
        f"Sale {name} is {state} in Tryton: an invoice or shipment stands behind it, so it cannot be cancelled. Return it there (Sale > Return),"
        " or credit its invoice (Invoice > Credit) once that is posted.",
        code="processed_there",
        context={"external_id": name, "state": state, "remedy": "return_or_credit"},
    )
