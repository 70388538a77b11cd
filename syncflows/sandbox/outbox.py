"""Webhook messages waiting to be sent, in the store, written in the transaction of the change they tell of.

Bodies are frozen here: a retry sends the same bytes under the same id (Standard Webhooks, "webhook-id").
"""

import json
import time
from typing import Any

from syncflows.sandbox.documents import new_id
from syncflows.sandbox.enums import DeliveryState, WebhookState
from syncflows.sandbox.store import Store


def enqueue(
    store: Store,
    *,
    system: str,
    event_type: str,
    data: dict[str, Any],
    traceparent: str,
    copies: int,
    broken: bool,
) -> None:
    """One row for each copy and each active subscription to this type."""
    hooks = [row["id"] for row in _active(store, system) if event_type in json.loads(row["events"])]
    if not hooks:
        return
    now, message_id = store.clock.now(), new_id("msg")
    message = {"type": event_type, "timestamp": now, "data": data}
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    if broken:
        body = body[: len(body) * 2 // 3]
    for hook in hooks:
        for _ in range(copies):
            store.execute(
                "INSERT INTO deliveries (webhook, message_id, type, body, traceparent, state, due_at_s, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (hook, message_id, event_type, body, traceparent, DeliveryState.PENDING, time.time(), now),
            )


def _active(store: Store, system: str) -> list[Any]:
    return store.execute(
        "SELECT id, events FROM webhooks WHERE system = ? AND state = ?", (system, WebhookState.ACTIVE)
    ).fetchall()
