"""What goes wrong in the demo traffic: human slips, broken messages, and an ERP that misbehaves for a while.

Each is a function from the Traffic to a sentence of what it did. Faults are bounded by a count, so they pass.
"""

import json
import random
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from standardwebhooks.webhooks import Webhook

from syncflows.sandbox.enums import EventType, FaultKind, OrderStatus, SystemName, WebhookState
from syncflows.sandbox.seed import quote

if TYPE_CHECKING:
    from syncflows.sandbox.traffic import Traffic

UNKNOWN_PRODUCTS = ("Flowmeter 900 Prototype", "Spectro-700", "Bench Scope Forty", "Datalogger XL")
LINE_FIELDS = ("sku", "quantity", "unit_price", "list_price")
ERP_ORDERS: dict[str, Any] = {"system": SystemName.ERP, "method": "POST", "path_prefix": "/orders"}


def deep_discount(traffic: "Traffic") -> str:
    percent = traffic.rng.choice((12, 15, 18, 22, 30))
    return f"{traffic.sell(discount=percent)['name']} is won {percent} % under list"


def price_above_list(traffic: "Traffic") -> str:
    percent = traffic.rng.choice((18, 40, 150))
    return f"{traffic.sell(discount=-percent)['name']} is won {percent} % above list"


def unknown_product(traffic: "Traffic") -> str:
    return f"{traffic.sell(discount=0, product=traffic.rng.choice(UNKNOWN_PRODUCTS))['name']}: no such product"


def misspelt_account(traffic: "Traffic") -> str:
    name = misspell(traffic.rng.choice(traffic.accounts)["name"], traffic.rng)
    return f"{traffic.sell(discount=0, account_id=None, account_name=name)['name']}: no such account"


def malformed_webhook(traffic: "Traffic") -> str:
    return _sell_with_fault(traffic, kind=FaultKind.MALFORMED_WEBHOOK, what="its webhook is broken JSON")


def duplicate_webhook(traffic: "Traffic") -> str:
    return _sell_with_fault(traffic, kind=FaultKind.DUPLICATE_WEBHOOK, what="its webhook is sent twice")


def renamed_field(traffic: "Traffic") -> str:
    params = {"from": "close_value", "to": "amount"}
    return _sell_with_fault(traffic, kind=FaultKind.RENAME_FIELD, what="close_value is called amount", params=params)


def wrong_signature(traffic: "Traffic") -> str:
    """A stranger posts to the receiver with a secret of their own."""
    hooks = traffic.call("GET", "/crm/webhooks")["items"]
    url = next((hook["url"] for hook in hooks if hook["state"] == WebhookState.ACTIVE), None)
    if url is None:
        return "nobody subscribes to webhooks, so no forged one is sent"
    now, message_id = datetime.now(UTC), f"msg_{traffic.rng.randrange(16**16):016x}"
    data = {"id": "opp_forged", "stage": "Won", "close_value": "999999.00"}
    body = json.dumps({"type": EventType.OPPORTUNITY_UPDATED, "timestamp": now.isoformat(), "data": data})
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secrets.token_bytes(24)).sign(message_id, now, body),
    }
    return f"a forged webhook is answered {traffic.sandbox.post_raw(url, body.encode(), headers)}"


def erp_unavailable(traffic: "Traffic") -> str:
    params = {"status": 503, "retry_after": 3}
    _switch_on(traffic, {**ERP_ORDERS, "kind": FaultKind.STATUS, "count": 4, "params": params})
    return f"the ERP answers 503 for a while; {traffic.sell(discount=0)['name']} is won"


def erp_credential_expired(traffic: "Traffic") -> str:
    """The next calls are refused for their credential: the system is down until it is renewed, here by itself after a few."""
    _switch_on(traffic, {**ERP_ORDERS, "kind": FaultKind.EXPIRE_CREDENTIAL, "count": 3})
    return f"the ERP refuses our credential for a while; {traffic.sell(discount=0)['name']} is won"


def erp_hangs_after_commit(traffic: "Traffic") -> str:
    fault = {**ERP_ORDERS, "kind": FaultKind.TIMEOUT_AFTER_COMMIT, "count": 2, "params": {"hang_s": 12}}
    _switch_on(traffic, fault)
    return f"the ERP takes the next orders and does not say so; {traffic.sell(discount=0)['name']} is won"


def entitlement_refused(traffic: "Traffic") -> str:
    """The desk refuses what comes last: order and invoice are there already, and have to be taken back."""
    fault = {"id": "traffic-entitlement", "system": SystemName.DESK, "method": "POST", "path_prefix": "/entitlements"}
    _switch_on(traffic, {**fault, "kind": FaultKind.STATUS, "count": 1, "params": {"status": 422}})
    return f"the desk refuses the next entitlement; {traffic.sell(discount=0)['name']} is won"


def undo_refused(traffic: "Traffic") -> str:
    """As above, and the ERP will not cancel the invoice: half an order is left to a person."""
    fault = {"id": "traffic-undo", "system": SystemName.ERP, "method": "POST", "path_prefix": "/invoices/"}
    _switch_on(traffic, {**fault, "kind": FaultKind.STATUS, "count": 1, "params": {"status": 422}})
    return f"the ERP refuses to cancel the next invoice; {entitlement_refused(traffic)}"


def hand_edited_order(traffic: "Traffic") -> str:
    """Somebody gives ten per cent off in the ERP itself, past every rule: only a comparison will tell."""
    orders = [order for order in traffic.sandbox.list("/erp/orders") if order["status"] == OrderStatus.OPEN]
    if not orders:
        return "the ERP has no order yet that somebody could edit by hand"
    order = max(
        orders, key=lambda order: (order["order_date"], order["number"])
    )  # the newest: old ones are closed books
    lines = [{name: line[name] for name in LINE_FIELDS} for line in order["lines"]]
    for line in lines:
        line["unit_price"] = quote(line["unit_price"], 1, discount=10)
    total = sum(Decimal(line["unit_price"]) * line["quantity"] for line in lines)
    traffic.call("PATCH", f"/erp/orders/{order['number']}", {"lines": lines, "total": f"{total:f}"})
    return f"{order['number']} is edited by hand in the ERP: {order['total']} becomes {total}"


def misspell(name: str, rng: random.Random) -> str:
    """Two neighbouring letters swapped, or one dropped; never the name itself."""
    places = [at for at in range(1, len(name) - 1) if name[at].isalpha() and name[at + 1].isalpha()]
    at = rng.choice([p for p in places if name[p] != name[p + 1]])
    if rng.random() < 0.5:
        return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    return name[:at] + name[at + 1 :]


def _switch_on(traffic: "Traffic", fault: dict[str, Any]) -> None:
    traffic.call("POST", "/_control/faults", {"id": f"traffic-{fault['kind']}", **fault})


def _sell_with_fault(traffic: "Traffic", *, kind: FaultKind, what: str, params: dict[str, Any] | None = None) -> str:
    fault = {"system": SystemName.CRM, "kind": kind, "method": "POST", "path_prefix": "/opportunities", "count": 1}
    _switch_on(traffic, {**fault, "params": params or {}})
    return f"{traffic.sell(discount=0)['name']} is won; {what}"


TROUBLES: dict[str, Callable[["Traffic"], str]] = {
    action.__name__: action
    for action in (
        deep_discount, price_above_list, unknown_product, misspelt_account, malformed_webhook,
        duplicate_webhook, renamed_field, wrong_signature, erp_unavailable, erp_hangs_after_commit, erp_credential_expired, entitlement_refused, undo_refused,
        hand_edited_order,
    )
}  # fmt: skip
LAST_TROUBLE = hand_edited_order.__name__
OFTEN = (
    "deep_discount",
    "deep_discount",
    "price_above_list",
    "misspelt_account",
)  # what people decide about, once more in the first burst
