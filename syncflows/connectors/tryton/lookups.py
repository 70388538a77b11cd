"""Tryton's numbers and defaults by business key, remembered for a while: asking anew for each order would cost more than the order.

What is missing there is never remembered, so that it counts as soon as somebody adds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from syncflows.connectors.errors import NotFound
from syncflows.connectors.tryton.documents import refuse
from syncflows.connectors.tryton.rpc import Rpc

ENTRIES_MAX = 20_000


@dataclass(frozen=True)
class Customer:
    """A party's row, and whether taxes of its lines follow a rule of its own."""

    id: int
    has_tax_rule: bool


class Lookups:
    """Used by several threads: at worst two ask the same at once."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._kept: dict[Hashable, tuple[float, Any]] = {}

    def currency(self, code: str) -> int:
        return self._id("currency.currency", "code", code, field="currency")

    def country(self, code: str) -> int:
        return self._id("country.country", "code", code, field="country")

    def payment_term(self, name: str) -> int:
        return self._id("account.invoice.payment_term", "name", name, field="payment_term")

    def unit(self, name: str) -> int:
        return self._id("product.uom", "name", name, field="unit")

    def product_category(self, name: str) -> int:
        return self._id("product.category", "name", name, field="category", also=[["accounting", "=", True]])

    def product(self, sku: str, *, field: str) -> int:
        return self._id("product.product", "code", sku, field=field, code="unknown_product")

    def customer(self, code: str) -> Customer:
        """Raises NotFound."""
        found: Customer | None = self._remembered(("party", code), lambda: self._ask_customer(code))
        if found is None:
            raise NotFound(
                f"Tryton has no customer with the code {code!r}. Send the customer first, or correct the code there.",
                code="unknown_customer",
                context={"details": [{"field": "customer_id", "message": f"no party with the code {code!r}"}]},
            )
        return found

    def sale_defaults(self, party: int) -> dict[str, Any]:
        """What Tryton's own form fills in for this customer: addresses, payment term, price list, warehouse, methods."""
        return dict(self._remembered(("sale", party), lambda: self._ask_sale(party)))

    def line_defaults(self, product: int, *, sale: dict[str, Any], quantity: float) -> dict[str, Any]:
        """Unit, price and taxes as Tryton's own form gives them."""
        row = {"type": "line", "product": product, "quantity": quantity, "sale": sale}
        changed = _values(self._rpc.read("model.sale.line.on_change", row, ["product", "quantity"]))
        taxes = [tax["id"] for _, tax in (changed.get("taxes") or {}).get("add", [])]
        return {"unit": changed.get("unit"), "unit_price": changed.get("unit_price"), "taxes": taxes}

    def unpriced_line_defaults(self, product: int, *, customer: Customer, sale: dict[str, Any]) -> dict[str, Any]:
        """Unit and taxes for a line whose price we bring. They do not hang on the quantity, and on the customer only if it has a tax rule."""
        key = ("line", product, customer.id if customer.has_tax_rule else None)
        return dict(self._remembered(key, lambda: self.line_defaults(product, sale=sale, quantity=1.0)))

    def _ask_customer(self, code: str) -> Customer | None:
        found = self._rpc.search("party.party", [["code", "=", code]], ["customer_tax_rule"], limit=1)
        return Customer(found[0]["id"], bool(found[0]["customer_tax_rule"])) if found else None

    def _ask_sale(self, party: int) -> dict[str, Any]:
        company = self._rpc.session().context.get("company")
        changed = _values(
            self._rpc.read("model.sale.sale.on_change", {"party": party, "company": company, "lines": []}, ["party"])
        )
        return {"party": party, "company": company} | {
            name: value for name, value in changed.items() if name not in {"lines", "party_lang"}
        }

    def _id(
        self,
        model: str,
        name: str,
        value: str,
        *,
        field: str,
        also: list[Any] | None = None,
        code: str = "unknown_there",
    ) -> int:
        found = self._remembered((model, value), lambda: self._search(model, [[name, "=", value], *(also or [])]))
        if found is None:
            raise refuse(
                field, f"Tryton has no {model} whose {name} is {value!r}: add it there, or correct {field}.", code=code
            )
        return int(found)

    def _search(self, model: str, domain: list[Any]) -> int | None:
        found = self._rpc.search(model, domain, ["id"], limit=1)
        return found[0]["id"] if found else None

    def _remembered(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        until, value = self._kept.get(key, (0.0, None))
        if time.monotonic() < until:
            return value
        value = ask()
        if value is not None:
            self._keep(key, value)
        return value

    def _keep(self, key: Hashable, value: Any) -> None:
        if len(self._kept) >= ENTRIES_MAX:
            self._kept.clear()
        self._kept[key] = (time.monotonic() + self._rpc.settings.options.cache_s, value)


def _values(answer: dict[str, Any]) -> dict[str, Any]:
    """Without the `name.` companions that carry labels."""
    return {name: value for name, value in answer.items() if not name.endswith(".")}
