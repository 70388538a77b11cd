"""Demo traffic: the salespeople of the invented company at work in the sandbox's CRM, some of it going wrong.

Speaks to the sandbox over HTTP only, as people and their CRM would. Same seed, same story.
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import httpx

from syncflows.sandbox import catalogue
from syncflows.sandbox.client import SandboxClient
from syncflows.sandbox.enums import Priority, QuoteStatus, Stage
from syncflows.sandbox.seed import quote
from syncflows.sandbox.troubles import LAST_TROUBLE, OFTEN, TROUBLES

BURST_CHANGES = 40
BURST_S = 20.0
TROUBLE_EVERY = 2
OPEN_DEALS_WANTED = 12
WORK_SHARES = {"advance_deal": 60, "open_deal": 22, "approve_quote": 6, "edit_account": 6, "open_ticket": 6}


@dataclass
class Deal:
    """An opportunity somebody is working on."""

    id: str
    product: str
    quantity: int
    stage: str


@dataclass
class Traffic:
    url: str
    rng: random.Random
    faulty: float = 0.15
    done: Counter[str] = field(default_factory=Counter)
    deals: list[Deal] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox = SandboxClient(self.url)
        self.call = self.sandbox.call
        self._planned: list[str] = []

    def prepare(self) -> None:
        """Wait for the sandbox, seed it if it is empty, learn its accounts and open deals. Raises SandboxStartError."""
        self.sandbox.connect()
        if not self.call("GET", "/crm/accounts", limit="1")["items"]:
            self.sandbox.seed(emit=False)
        self.accounts = self.sandbox.list("/crm/accounts")
        for stage in (Stage.PROSPECTING, Stage.ENGAGING):
            for item in self.sandbox.list("/crm/opportunities", stage=stage):
                self.deals.append(Deal(item["id"], item["product"], item["quantity"], stage))
        # The edit in the ERP comes last: by then there is an order to edit.
        others = [*sorted(set(TROUBLES) - {LAST_TROUBLE}), *OFTEN]
        self._planned = [LAST_TROUBLE, *self.rng.sample(others, len(others))]

    def step(self, number: int) -> str:
        """Make one change; what it was. In the first minute every kind of trouble has its turn."""
        trouble = None
        if self.faulty and self._planned and number % TROUBLE_EVERY == TROUBLE_EVERY - 1:
            trouble = self._planned.pop()
        elif self.rng.random() < self.faulty and number >= BURST_CHANGES:
            trouble = self.rng.choice(sorted(TROUBLES))
        name = trouble or self._choose_work()
        action: Callable[[Traffic], str] = TROUBLES.get(name) or WORK[name]
        text = action(self)
        self.done[name] += 1
        return text

    def _choose_work(self) -> str:
        if len(self.deals) < OPEN_DEALS_WANTED and self.rng.random() < 0.6:
            return "open_deal"
        return self.rng.choices(tuple(WORK_SHARES), tuple(WORK_SHARES.values()))[0]

    def list_price(self, product: str) -> str:
        return next((item.list_price for item in catalogue.PRODUCTS if item.name == product), "1000.00")

    def sell(self, *, discount: float, **changes: Any) -> dict[str, Any]:
        """A deal that comes in already won, `discount` per cent under list (above it when negative)."""
        product, quantity = self.rng.choice(catalogue.PRODUCTS), self.rng.choice((1, 1, 2, 3, 4))
        account, today = self.rng.choice(self.accounts), datetime.now(UTC).date()
        body = {
            "account_id": account["id"],
            "account_name": account["name"],
            "owner": self.rng.choice(catalogue.SALESPEOPLE),
            "product": product.name,
            "quantity": quantity,
            "stage": Stage.WON,
            "engage_date": (today - timedelta(days=self.rng.randrange(5, 60))).isoformat(),
            "close_date": today.isoformat(),
            "close_value": quote(product.list_price, quantity, discount=discount),
            **changes,
        }
        return self.call("POST", "/crm/opportunities", body)


def run(traffic: Traffic, *, rate: float, seconds: float | None, out: TextIO = sys.stderr) -> dict[str, Any]:
    """Dense for the first 20 s, then `rate` changes a second, until `seconds` are over. Answers what was done."""
    traffic.prepare()
    started, number = time.monotonic(), 0
    while seconds is None or time.monotonic() - started < seconds:
        try:
            print(f"traffic: {traffic.step(number)}", file=out, flush=True)
        except (httpx.HTTPError, json.JSONDecodeError, KeyError) as error:
            traffic.done["refused"] += 1
            print(f"traffic: not done: {type(error).__name__}: {error}", file=out, flush=True)
        number += 1
        due = started + when_due(number, rate)
        time.sleep(max(0.0, due - time.monotonic()))
    return {"changes": number, "done": dict(sorted(traffic.done.items()))}


def when_due(number: int, rate: float) -> float:
    """Seconds after the start at which change `number` is made."""
    burst_gap_s = min(BURST_S / BURST_CHANGES, 1 / rate)
    return min(number, BURST_CHANGES) * burst_gap_s + max(0, number - BURST_CHANGES) / rate


def open_deal(traffic: Traffic) -> str:
    account, product = traffic.rng.choice(traffic.accounts), traffic.rng.choice(catalogue.PRODUCTS)
    body = {
        "account_id": account["id"],
        "owner": traffic.rng.choice(catalogue.SALESPEOPLE),
        "product": product.name,
        "quantity": traffic.rng.choice((1, 1, 2, 5, 10)),
    }
    made = traffic.call("POST", "/crm/opportunities", body)
    traffic.deals.append(Deal(made["id"], made["product"], made["quantity"], made["stage"]))
    return f"{made['owner']} opens {made['name']}"


def advance_deal(traffic: Traffic) -> str:
    if not traffic.deals:
        return open_deal(traffic)
    deal, today = traffic.rng.choice(traffic.deals), datetime.now(UTC).date().isoformat()
    discount = traffic.rng.choice((0, 0, 0, 2, 3, 5, 7))
    value = quote(traffic.list_price(deal.product), deal.quantity, discount=discount)
    if deal.stage == Stage.PROSPECTING:
        body = {"stage": Stage.ENGAGING, "engage_date": today, "close_value": value}
    elif traffic.rng.random() < 0.75:
        body = {"stage": Stage.WON, "close_date": today, "close_value": value}
    else:
        body = {"stage": Stage.LOST, "close_date": today, "close_value": "0.00"}
    after = traffic.call("PATCH", f"/crm/opportunities/{deal.id}", body)
    deal.stage = after["stage"]
    if deal.stage in (Stage.WON, Stage.LOST):
        traffic.deals.remove(deal)
    return f"{after['owner']} moves {after['name']} to {after['stage']}"


def approve_quote(traffic: Traffic) -> str:
    account, product = traffic.rng.choice(traffic.accounts), traffic.rng.choice(catalogue.PRODUCTS)
    line = {
        "product": product.name,
        "quantity": 2,
        "list_price": product.list_price,
        "unit_price": quote(product.list_price, 1, discount=traffic.rng.choice((0, 3, 6))),
    }
    body = {"account_id": account["id"], "currency": catalogue.CURRENCY, "tier": account["tier"], "lines": [line]}
    made = traffic.call("POST", "/crm/quotes", body)
    traffic.call("PATCH", f"/crm/quotes/{made['id']}", {"status": QuoteStatus.APPROVED})
    return f"quote {made['id']} for {account['name']} is approved"


def edit_account(traffic: Traffic) -> str:
    account = traffic.rng.choice(traffic.accounts)
    traffic.call("PATCH", f"/crm/accounts/{account['id']}", {"owner": traffic.rng.choice(catalogue.SALESPEOPLE)})
    return f"{account['name']} gets another owner"


def open_ticket(traffic: Traffic) -> str:
    account = traffic.rng.choice(traffic.accounts)
    subject = traffic.rng.choice(
        ("Certificate missing", "Reading drifts", "Wrong delivery address", "Invoice question")
    )
    body = {"subject": subject, "description": f"{account['name']} asks.", "priority": Priority.NORMAL}
    traffic.call("POST", "/desk/tickets", {**body, "requester": account["email"] or account["name"]})
    return f"{account['name']} writes to support: {subject}"


WORK: dict[str, Callable[[Traffic], str]] = {
    "open_deal": open_deal,
    "advance_deal": advance_deal,
    "approve_quote": approve_quote,
    "edit_account": edit_account,
    "open_ticket": open_ticket,
}
