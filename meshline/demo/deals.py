"""How the demo's salespeople behave: what a deal closes at, what goes wrong, when. Pure: decides, sends nothing."""

import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

CENT = Decimal("0.01")
Body = dict[str, Any]

# Percent off the list price, and how many deals in 100 close so. Beyond 10 needs approval; below -10 is above list.
DISCOUNTS = ((0, 30), (3, 20), (5, 18), (8, 14), (14, 8), (22, 4), (-6, 3), (-15, 3))
QUANTITIES = (1, 1, 1, 2, 2, 3, 5, 10)
LOST_PERCENT = 25
UNKNOWN_PRODUCT_PERCENT = 3
MISSING_VALUE_PERCENT = 2


@dataclass(frozen=True)
class Price:
    product: str
    list_price: Decimal
    currency: str


def open_deal(rng: random.Random, *, accounts: list[Body], prices: list[Price]) -> Body:
    """Returns the body of a new opportunity. A few name a product that the ERP's price book does not have."""
    account, price = rng.choice(accounts), rng.choice(prices)
    is_unknown = rng.randrange(100) < UNKNOWN_PRODUCT_PERCENT
    return {
        "account_id": account["id"],
        "owner": account["owner"],
        "product": f"{price.product} Mk II" if is_unknown else price.product,
        "quantity": rng.choice(QUANTITIES),
        "stage": "Prospecting",
        "currency": price.currency,
    }


def advance(rng: random.Random, deal: Body, *, prices: list[Price], today: date) -> Body:
    """Returns the change that takes an open deal one stage on."""
    if deal["stage"] == "Prospecting":
        return {"stage": "Engaging", "engage_date": today.isoformat()}
    if rng.randrange(100) < LOST_PERCENT:
        return {"stage": "Lost", "close_date": today.isoformat(), "close_value": "0.00"}
    change = {"stage": "Won", "close_date": today.isoformat()}
    if rng.randrange(100) < MISSING_VALUE_PERCENT:
        return change  # closed in a hurry: the contract will ask for the value
    return {**change, "close_value": close_value(rng, deal, prices=prices)}


def close_value(rng: random.Random, deal: Body, *, prices: list[Price]) -> str:
    """Whole cents for one piece first, so that the order's lines add up to the deal."""
    price = next((price for price in prices if price.product == deal["product"]), prices[0])
    percents, weights = zip(*DISCOUNTS, strict=True)
    discount = rng.choices(percents, weights)[0]
    unit = (price.list_price * (100 - discount) / 100).quantize(CENT)
    return f"{unit * deal['quantity']:.2f}"


def next_fault(rng: random.Random) -> Body:
    """Returns a fault that wears off by itself, as the sandbox's `/_control/faults` takes it."""
    choices: tuple[Body, ...] = (
        {"system": "erp", "kind": "latency", "count": 15, "probability": 0.5, "params": {"ms": 900}},
        {"system": "erp", "kind": "status", "count": 4, "params": {"status": 503, "retry_after": 2}},
        {"system": "erp", "kind": "status", "count": 3, "params": {"status": 429, "retry_after": 3}},
        {"system": "erp", "kind": "timeout_after_commit", "method": "POST", "count": 1, "params": {"hang_s": 15}},
        {"system": "erp", "kind": "cut_after_commit", "method": "POST", "count": 1},
        {"system": "crm", "kind": "duplicate_webhook", "count": 3},
        {"system": "crm", "kind": "malformed_webhook", "count": 1},
    )
    return rng.choice(choices)
