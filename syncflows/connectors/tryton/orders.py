"""Carries orders into Tryton: create, quote, confirm, and a look at what came of it. Resumable: keyed by the reference, continued from the state it is in.

Nothing in Tryton keeps a reference unique, so every attempt, the first too, looks before it creates. `confirm` answers well even where the
processing behind it failed; so the state is read back, always, and a sale left `confirmed` is processed by name, which says why it cannot be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from syncflows.connectors.errors import Accounting, ConnectorError, OutcomeUnknown, Rejected
from syncflows.connectors.protocol import JSON, Answer, Call
from syncflows.connectors.tryton import coding, documents, sales
from syncflows.connectors.tryton.lookups import Customer, Lookups
from syncflows.connectors.tryton.rpc import Rpc, correlated
from syncflows.connectors.tryton.sales import FINISHED, State


@dataclass
class Placement:
    """One order on its way. `values`: what Tryton's create takes. `found`: the sale as last read. `error`: why it went no further."""

    wanted: documents.Order
    values: JSON
    correlation: Mapping[str, str]
    found: JSON | None = None
    created: bool = False
    error: ConnectorError | None = field(default=None)

    @property
    def state(self) -> str:
        return self.found["state"] if self.found and not self.error else ""

    def result(self) -> Answer:
        """Raises what went wrong."""
        if self.error is not None:
            raise self.error
        assert self.found is not None
        return sales.answer(self.found, created=self.created)


def prepare(rpc: Rpc, lookups: Lookups, call: Call) -> Placement:
    """The order in Tryton's terms: its own defaults for header and lines, our exact prices over them. Reads only. Raises Rejected, NotFound."""
    wanted = documents.read(documents.Order, call.document, operation=call.operation)
    if wanted.external_id != call.reference:
        raise documents.refuse(
            "external_id",
            f"external_id {wanted.external_id!r} must be the step's reference {call.reference!r}.",
            code="bad_document",
        )
    customer = lookups.customer(wanted.customer_id)
    values = (
        lookups.sale_defaults(customer.id)
        | {"reference": wanted.external_id, "currency": lookups.currency(wanted.currency)}
        | _header(lookups, wanted)
    )
    rows = [
        _row(lookups, line, place=f"lines[{number}]", customer=customer, header=values)
        for number, line in enumerate(wanted.lines)
    ]
    return Placement(wanted=wanted, values=values | {"lines": [["create", rows]]}, correlation=call.correlation)


def place(rpc: Rpc, placements: list[Placement]) -> None:
    """Carries each as far as it goes; results stand on the placements. Idempotent: on the reference."""
    with correlated(placements[0].correlation if len(placements) == 1 else {}):
        _look(rpc, placements)
        _create(rpc, [item for item in placements if not item.found and not item.error])
        for state, button in ((State.DRAFT, "quote"), (State.QUOTATION, "confirm")):
            _each(_in_state(placements, state), partial(_press, rpc, button))
        _reread(rpc, [item for item in placements if item.found and not item.error])
        _process(rpc, _in_state(placements, State.CONFIRMED))
    _check_finished(placements)


def _process(rpc: Rpc, placements: list[Placement]) -> None:
    """One by one: processing that failed for one in `confirm` failed for all that were confirmed with it."""
    for item in placements:
        _each([item], partial(_press, rpc, "process"))
        if not item.error:
            _reread(rpc, [item])


def _header(lookups: Lookups, wanted: documents.Order) -> JSON:
    term = lookups.payment_term(wanted.payment_term) if wanted.payment_term else None
    given = {
        "sale_date": wanted.order_date,
        "payment_term": term,
        "description": wanted.description,
        "comment": wanted.comment,
    }
    return {name: value for name, value in given.items() if value is not None}


def _row(lookups: Lookups, line: documents.OrderLine, *, place: str, customer: Customer, header: JSON) -> JSON:
    product, quantity = (
        lookups.product(line.sku, field=f"{place}.sku"),
        coding.quantity(line.quantity, field=f"{place}.quantity"),
    )
    sale = {
        name: header.get(name)
        for name in ("party", "invoice_party", "company", "currency", "price_list", "warehouse", "sale_date")
    }
    if line.unit_price is not None:
        defaults = lookups.unpriced_line_defaults(product, customer=customer, sale=sale) | {
            "unit_price": line.unit_price
        }
    else:
        defaults = lookups.line_defaults(product, sale=sale, quantity=quantity)
    row = {
        "type": "line",
        "product": product,
        "quantity": quantity,
        "unit": defaults["unit"],
        "unit_price": defaults["unit_price"],
    }
    row |= {"description": line.description} if line.description else {}
    return row | ({"taxes": [["add", defaults["taxes"]]]} if defaults["taxes"] else {})


def _look(rpc: Rpc, placements: list[Placement]) -> None:
    """One call for all: what is there already."""
    there: dict[str, list[JSON]] = defaultdict(list)
    for found in sales.by_reference(rpc, [item.wanted.external_id for item in placements]):
        there[found["reference"]].append(found)
    for item in placements:
        found_ones = there[item.wanted.external_id]
        if len(found_ones) > 1:
            item.error = sales.duplicate(item.wanted.external_id, found_ones)
        elif found_ones:
            item.found = found_ones[0]
            _each([item], lambda items: _agree(rpc, items[0]))


def _agree(rpc: Rpc, item: Placement) -> None:
    """A sale that Tryton has not processed is brought to the document; one that it has is left alone, and must be the same."""
    assert item.found is not None
    if _same(item.wanted, item.found):
        return
    if item.found["state"] in FINISHED:
        raise Rejected(
            f"Tryton has sale {item.found['external_id']} ({item.found['state']}) for {item.wanted.external_id!r}, and it differs from this order. Compare them;"
            " then correct the order to match, or return the sale there.",
            code="reference_already_written",
            context={"found": [item.found]},
        )
    _revise(rpc, item, sale_id=item.found["id"])


def _revise(rpc: Rpc, item: Placement, *, sale_id: int) -> None:
    assert item.found is not None
    if item.found["state"] != State.DRAFT:
        rpc.write("model.sale.sale.draft", [sale_id])
    old = [line["id"] for line in rpc.search("sale.line", [["sale", "=", sale_id]], ["id"])]
    rpc.write("model.sale.sale.write", [sale_id], item.values | {"lines": [["delete", old], *item.values["lines"]]})
    item.found = item.found | {"state": State.DRAFT}


def _same(wanted: documents.Order, found: JSON) -> bool:
    if (wanted.customer_id, wanted.currency) != (found["customer"], found["currency"]):
        return False
    if wanted.order_date and wanted.order_date.isoformat() != found["sale_date"]:
        return False
    ours = [(line.sku, line.quantity, line.unit_price) for line in wanted.lines]
    theirs = [(line["sku"], Decimal(line["quantity"]), Decimal(line["unit_price"])) for line in found["lines"]]
    return len(ours) == len(theirs) and all(_same_line(*pair) for pair in zip(ours, theirs, strict=True))


def _same_line(ours: tuple[str, Decimal, Decimal | None], theirs: tuple[str, Decimal, Decimal]) -> bool:
    """A price that Tryton chose is not held against it later."""
    return ours[:2] == theirs[:2] and ours[2] in (None, theirs[2])


def _create(rpc: Rpc, placements: list[Placement]) -> None:
    def send(items: list[Placement]) -> None:
        ids = rpc.write("model.sale.sale.create", [item.values for item in items])
        for item, row in zip(items, ids, strict=True):
            item.created = True
            item.found = {"id": row, "external_id": f"{sales.UNNUMBERED}{row}", "state": State.DRAFT}

    _each(placements, send)


def _press(rpc: Rpc, button: str, items: list[Placement]) -> None:
    rpc.write(f"model.sale.sale.{button}", [item.found["id"] for item in items if item.found])
    for item in items:
        item.found = (item.found or {}) | {"state": PRESSED[button]}


# Where a button leads when Tryton does as it says; what really came of `confirm` and `process` is read back.
PRESSED = {"quote": State.QUOTATION, "confirm": State.CONFIRMED, "process": State.CONFIRMED}


def _each(items: list[Placement], send: Callable[[list[Placement]], None]) -> None:
    """All in one call; where Tryton refuses it, half and half, until those that it means stand alone."""
    if not items:
        return
    try:
        send(items)
    except Rejected as error:
        if len(items) == 1:
            items[0].error = _located(error, items[0])
            return
        _each(items[: len(items) // 2], send)
        _each(items[len(items) // 2 :], send)
    except ConnectorError as error:
        for item in items:
            item.error = error


def _located(error: Rejected, item: Placement) -> Rejected:
    """The same refusal, saying what stands in Tryton now."""
    if item.found is None or item.state in FINISHED:
        return error
    name, state = item.found["external_id"], item.found["state"]
    message = f"{error.message} Sale {name} for {item.wanted.external_id!r} stays in Tryton as {state}; once the cause is mended, the same order sent again continues it."
    kind = Accounting if isinstance(error, Accounting) else Rejected
    return kind(message, code=error.code, context=error.context | {"external_id": name, "state": str(state)})


def _reread(rpc: Rpc, placements: list[Placement]) -> None:
    """After the writes: an order that cannot be read back is unknown, not failed."""
    if not placements:
        return
    try:
        found = {
            item["id"]: item for item in sales.by_ids(rpc, [item.found["id"] for item in placements if item.found])
        }
    except ConnectorError as error:
        for item in placements:
            item.error = OutcomeUnknown(
                f"Order {item.wanted.external_id!r} was sent and could not be read back: {error.message}",
                context=error.context,
            )
        return
    for item in placements:
        assert item.found is not None
        item.found = found[item.found["id"]]


def _check_finished(placements: list[Placement]) -> None:
    for item in placements:
        if item.found and not item.error and item.found["state"] not in FINISHED:
            item.error = _located(
                Rejected(
                    "Tryton accepted the order and did not process it; see Administration > Errors there.",
                    code="not_processed_there",
                ),
                item,
            )


def _in_state(placements: list[Placement], state: State) -> list[Placement]:
    return [item for item in placements if item.state == state]
