"""Loads the invented company: accounts, most of them as ERP customers too, the price book, 60 opportunities.

The same number and day give the same documents. Loading twice adds nothing. History is silent unless `emit`.
"""

import random
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from syncflows.sandbox import catalogue, documents
from syncflows.sandbox.clock import format_time
from syncflows.sandbox.documents import ACCOUNTS, CUSTOMERS, OPPORTUNITIES, PRICES, Body, Entity
from syncflows.sandbox.enums import EventType, Stage, SystemName
from syncflows.sandbox.exchange import Call
from syncflows.sandbox.fields import format_money

OPPORTUNITY_COUNT = 60
HISTORY_DAYS = 90
STAGES = (Stage.PROSPECTING, Stage.ENGAGING, Stage.ENGAGING, Stage.WON, Stage.WON, Stage.LOST)
CENT = Decimal("0.01")


def load(call: Call, *, number: int, today: str | None, emit: bool) -> dict[str, Any]:
    """How many of each kind were created and how many were there already."""
    rng = random.Random(number)
    day = date.fromisoformat(today) if today else datetime.now(UTC).date()
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=HISTORY_DAYS)
    accounts = [_account(index, account, rng, start) for index, account in enumerate(catalogue.ACCOUNTS, start=1)]
    batches: list[tuple[Entity, list[Body]]] = [
        (PRICES, [_price(product, start) for product in catalogue.PRODUCTS]),
        (ACCOUNTS, accounts),
        (CUSTOMERS, [_customer(account, rng) for account in accounts if rng.random() < 0.85]),
        (OPPORTUNITIES, [_opportunity(n, accounts, rng, start) for n in range(1, OPPORTUNITY_COUNT + 1)]),
    ]
    created = {entity.name: _add_new(call, entity, bodies) for entity, bodies in batches}
    if emit:
        crm = replace(call, system=SystemName.CRM)
        for body in created[OPPORTUNITIES.name]:
            crm.emit(EventType.OPPORTUNITY_CREATED, body)
    counts = {name: len(bodies) for name, bodies in created.items()}
    known = {entity.name: len(bodies) - counts[entity.name] for entity, bodies in batches}
    return {"seed": number, "today": day.isoformat(), "created": counts, "existing": known}


def _add_new(call: Call, entity: Entity, bodies: list[Body]) -> list[Body]:
    added = []
    for body in bodies:
        try:
            added.append(documents.add(call.store, entity, body))
        except sqlite3.IntegrityError:
            continue
    return added


def _stamped(body: Body, created: datetime, updated: datetime) -> Body:
    return {**body, "created_at": format_time(created), "updated_at": format_time(updated)}


def _price(product: catalogue.Product, start: datetime) -> Body:
    body = {"sku": product.sku, "name": product.name, "list_price": product.list_price}
    return _stamped({**body, "currency": catalogue.CURRENCY}, start, start)


def _account(index: int, account: catalogue.Account, rng: random.Random, start: datetime) -> Body:
    body = {
        "id": f"acc_k{index:03d}",
        "name": account.name,
        "external_id": None,
        "sector": account.sector,
        "country": account.country,
        "tier": account.tier,
        "owner": rng.choice(catalogue.SALESPEOPLE),
        "email": f"orders@{account.name.split()[0].lower()}.example",
        "tax_id": f"{account.country}{rng.randrange(10**8, 10**9)}",
        "version": 1,
    }
    made = start + timedelta(minutes=index)
    return _stamped(body, made, made)


def _customer(account: Body, rng: random.Random) -> Body:
    limits = {"gold": "500000.00", "silver": "150000.00", "bronze": "40000.00"}
    body = {
        "id": f"cus_{account['id'][4:]}",
        "external_id": account["id"],
        "name": account["name"],
        "country": account["country"],
        "tier": account["tier"],
        "credit_limit": limits[account["tier"]],
        "currency": catalogue.CURRENCY,
        "tax_id": account["tax_id"],
        "email": account["email"],
    }
    made = datetime.fromisoformat(account["created_at"]) + timedelta(hours=rng.randrange(1, 48))
    return _stamped(body, made, made)


def _opportunity(number: int, accounts: list[Body], rng: random.Random, start: datetime) -> Body:
    account, product, stage = rng.choice(accounts), rng.choice(catalogue.PRODUCTS), rng.choice(STAGES)
    engaged = start + timedelta(days=rng.randrange(3, HISTORY_DAYS - 20), seconds=rng.randrange(28_800, 64_800))
    changed = engaged + timedelta(days=rng.randrange(0, 20), seconds=rng.randrange(0, 7_200))
    closed = stage in (Stage.WON, Stage.LOST)
    quantity = rng.choice((1, 1, 1, 2, 3, 5, 10))
    value = quote(product.list_price, quantity, discount=rng.choice((0, 0, 2, 4, 5, 8)))
    body = {
        "id": f"opp_k{number:04d}",
        "name": f"{account['name']} / {product.name}",
        "account_id": account["id"],
        "account_name": account["name"],
        "owner": account["owner"],
        "product": product.name,
        "quantity": quantity,
        "stage": stage,
        "engage_date": None if stage == Stage.PROSPECTING else engaged.date().isoformat(),
        "close_date": changed.date().isoformat() if closed else None,
        "close_value": None if stage == Stage.PROSPECTING else ("0.00" if stage == Stage.LOST else value),
        "currency": catalogue.CURRENCY,
        "erp_order_number": None,
        "version": {Stage.PROSPECTING: 1, Stage.ENGAGING: 2}.get(stage, 3),
    }
    return _stamped(body, engaged, changed)


def quote(list_price: str, quantity: int, *, discount: float) -> str:
    """Text of what `quantity` costs with `discount` per cent off; whole cents for one piece, so that lines add up."""
    unit = (Decimal(list_price) * (100 - Decimal(str(discount))) / 100).quantize(CENT)
    return format_money(unit * quantity, catalogue.CURRENCY)
