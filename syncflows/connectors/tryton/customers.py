"""Customers: parties whose code is our external id."""

from __future__ import annotations

from typing import Any

from syncflows.connectors.errors import NotFound
from syncflows.connectors.protocol import JSON, Answer, Call
from syncflows.connectors.tryton import coded, documents
from syncflows.connectors.tryton.lookups import Lookups
from syncflows.connectors.tryton.rpc import Rpc

FIELDS = ["code", "name", "active", "customer_payment_term.name", "addresses.country.code", "addresses.city"]


def create(rpc: Rpc, lookups: Lookups, call: Call) -> Answer:
    """A party with that code, the one that is there or a new one. Raises Rejected, Transient."""
    wanted = documents.read(documents.Customer, call.document, operation=call.operation)
    values = _values(lookups, wanted)

    def send() -> None:
        rpc.write("model.party.party.create", [values])

    return coded.create(wanted.external_id, find=lambda code: find(rpc, code), send=send)


def change(rpc: Rpc, lookups: Lookups, call: Call) -> Answer:
    """Brings a party that is there to the document. Idempotent: it states what shall be. Raises NotFound, Rejected."""
    wanted = documents.read(documents.CustomerChange, call.document, operation=call.operation)
    found = rpc.search("party.party", [["code", "=", wanted.external_id]], ["addresses"])
    if not found:
        raise NotFound(f"Tryton has no active customer {wanted.external_id!r} to change.", code="unknown_customer")
    values: JSON = {"name": wanted.name}
    if wanted.payment_term:
        values["customer_payment_term"] = lookups.payment_term(wanted.payment_term)
    address = _address(lookups, wanted)
    if address:
        values["addresses"] = [
            ["write", found[0]["addresses"][:1], address] if found[0]["addresses"] else ["create", [address]]
        ]
    rpc.write("model.party.party.write", [found[0]["id"]], values)
    return Answer(external_id=wanted.external_id, document=find(rpc, wanted.external_id)[0], created=False)


def find(rpc: Rpc, code: str) -> list[JSON]:
    """Deactivated ones too: they keep their code."""
    return [
        _document(item)
        for item in rpc.search("party.party", [["code", "=", code]], FIELDS, context={"active_test": False})
    ]


def _values(lookups: Lookups, wanted: documents.Customer) -> JSON:
    values: JSON = {
        "name": wanted.name,
        "code": wanted.external_id,
        "identifiers": [["create", [{"type": None, "code": wanted.external_id}]]],
        # Always one address, if only an empty one: a sale cannot be quoted without.
        "addresses": [["create", [_address(lookups, wanted)]]],
    }
    if wanted.email:
        values["contact_mechanisms"] = [["create", [{"type": "email", "value": wanted.email}]]]
    if wanted.payment_term:
        values["customer_payment_term"] = lookups.payment_term(wanted.payment_term)
    return values


def _address(lookups: Lookups, wanted: documents.Customer | documents.CustomerChange) -> JSON:
    given = {"street_unstructured": wanted.street, "postal_code": wanted.postal_code, "city": wanted.city}
    country = lookups.country(wanted.country) if wanted.country else None
    return {name: value for name, value in (given | {"country": country}).items() if value}


def _document(item: dict[str, Any]) -> JSON:
    address: dict[str, Any] = next(iter(item.get("addresses.") or []), {})
    return {
        "id": str(item["id"]),
        "external_id": item["code"],
        "name": item["name"] or "",
        "active": bool(item["active"]),
        "payment_term": (item.get("customer_payment_term.") or {}).get("name") or "",
        "country": (address.get("country.") or {}).get("code") or "",
        "city": address.get("city") or "",
    }
