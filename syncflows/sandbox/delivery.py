"""Sends what the outbox holds, signed per Standard Webhooks, and tries again until it is taken.

A 2xx ends a delivery; 410 disables the subscription and abandons what waits for it; anything else waits and
retries without end. Order is not promised once something is retried.
"""

import asyncio
import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from syncflows.sandbox.enums import DeliveryState, WebhookState
from syncflows.sandbox.settings import WebhookSettings
from syncflows.sandbox.world import World

MAX_IN_FLIGHT = 8
IDLE_S = 5.0
RETRY_SOON = frozenset({401, 403, 404, 408, 409, 425, 429})
GONE = 410


def backoff_s(attempts: int, settings: WebhookSettings, *, refused: bool) -> float:
    """Seconds to wait after `attempts` tries: doubled each time, capped, then 75 to 100 % of that by chance."""
    cap = settings.refused_cap_s if refused else settings.retry_cap_s
    return min(settings.retry_base_s * 2 ** min(attempts - 1, 30), cap) * random.uniform(0.75, 1)


def headers_of(row: Any) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "meshline-sandbox",
        "traceparent": row["traceparent"],
        "webhook-id": row["message_id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(row["secret"]).sign(row["message_id"], now, row["body"]),
    }


class Dispatcher:
    def __init__(self, world: World) -> None:
        self._world = world
        self._bell = asyncio.Event()
        self._in_flight: dict[int, asyncio.Task[None]] = {}

    def wake(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        """Until cancelled."""
        limits = httpx.Limits(max_connections=MAX_IN_FLIGHT)
        async with httpx.AsyncClient(limits=limits, follow_redirects=False, trust_env=False) as client:
            while True:
                self._bell.clear()
                for row in self._due():
                    self._in_flight[row["seq"]] = asyncio.create_task(self._send(client, row))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), self._pause_s())

    def _due(self) -> list[Any]:
        free = MAX_IN_FLIGHT - len(self._in_flight)
        if free <= 0:
            return []
        rows = self._world.store.execute(
            "SELECT d.*, w.url, w.secret FROM deliveries d JOIN webhooks w ON w.id = d.webhook"
            " WHERE d.state = 'pending' AND d.due_at_s <= ? ORDER BY d.due_at_s, d.seq LIMIT ?",
            (time.time(), MAX_IN_FLIGHT * 2),
        ).fetchall()
        return [row for row in rows if row["seq"] not in self._in_flight][:free]

    def _pause_s(self) -> float:
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            return IDLE_S
        rows = self._world.store.execute(
            "SELECT seq, due_at_s FROM deliveries WHERE state = 'pending' ORDER BY due_at_s LIMIT ?",
            (MAX_IN_FLIGHT + 1,),
        ).fetchall()
        waiting = [row["due_at_s"] for row in rows if row["seq"] not in self._in_flight]
        return max(0.0, min(waiting[0] - time.time(), IDLE_S)) if waiting else IDLE_S

    async def _send(self, client: httpx.AsyncClient, row: Any) -> None:
        status, error = None, None
        try:
            timeout_s = self._world.settings.webhooks.timeout_s
            answer = await client.post(row["url"], content=row["body"], headers=headers_of(row), timeout=timeout_s)
            status = answer.status_code
        except Exception as failure:  # noqa: BLE001 - whatever an address provokes is recorded, and waits like any other failure
            error = f"{type(failure).__name__}: {failure}"[:300]
        finally:
            self._in_flight.pop(row["seq"], None)
            self._bell.set()
        self._record(row, status, error)

    def _record(self, row: Any, status: int | None, error: str | None) -> None:
        with self._world.store.transaction():
            if status is not None and 200 <= status < 300:
                self._finish(row, DeliveryState.DELIVERED, status)
            elif status == GONE:
                self._disable(row, status)
            else:
                self._postpone(row, status, error)

    def _finish(self, row: Any, state: DeliveryState, status: int) -> None:
        self._world.store.execute(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, last_status = ?, last_error = NULL,"
            " finished_at = ? WHERE seq = ?",
            (state, status, self._world.store.clock.now(), row["seq"]),
        )

    def _disable(self, row: Any, status: int) -> None:
        self._finish(row, DeliveryState.ABANDONED, status)
        store = self._world.store
        store.execute("UPDATE webhooks SET state = ? WHERE id = ?", (WebhookState.DISABLED, row["webhook"]))
        store.execute(
            "UPDATE deliveries SET state = ?, finished_at = ? WHERE webhook = ? AND state = ?",
            (DeliveryState.ABANDONED, store.clock.now(), row["webhook"], DeliveryState.PENDING),
        )

    def _postpone(self, row: Any, status: int | None, error: str | None) -> None:
        refused = status is not None and 400 <= status < 500 and status not in RETRY_SOON
        wait_s = backoff_s(row["attempts"] + 1, self._world.settings.webhooks, refused=refused)
        self._world.store.execute(
            "UPDATE deliveries SET attempts = attempts + 1, last_status = ?, last_error = ?, due_at_s = ?"
            " WHERE seq = ?",
            (status, error, time.time() + wait_s, row["seq"]),
        )
