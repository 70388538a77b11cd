"""Webhook subscriptions of a system, and the list of what was delivered to each."""

import base64
import binascii
import json
import secrets
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from syncflows.sandbox.documents import new_id
from syncflows.sandbox.enums import EventType, WebhookState
from syncflows.sandbox.errors import invalid, not_found
from syncflows.sandbox.exchange import Answer, Call
from syncflows.sandbox.fields import Input
from syncflows.sandbox.lists import page_size, refuse_unknown

PREFIX = "whsec_"


def check_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or not url.isprintable():
        raise ValueError("must be a full http or https address")
    if parts.port == 0:
        raise ValueError("has an impossible port")
    return url


def check_secret(secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not secret.startswith(PREFIX) or not key:
        raise ValueError("must be whsec_ followed by base64, as Standard Webhooks says")
    return secret


class WebhookIn(Input):
    url: Annotated[str, Field(max_length=2000), AfterValidator(check_url)]
    secret: Annotated[str, Field(max_length=500), AfterValidator(check_secret)] | None = None
    events: list[EventType] | None = None


def create_webhook(call: Call) -> Answer:
    given = call.read(WebhookIn)
    known = [event for event in EventType if event.startswith(f"{call.system}.")]
    foreign = [event for event in given.events or [] if event not in known]
    if foreign or given.events == []:
        raise invalid(("events", f"choose from {', '.join(known)}"))
    secret = given.secret or PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()
    hook_id, events = new_id("whk"), given.events or known
    call.store.execute(
        "INSERT INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?)",
        (hook_id, call.system, given.url, secret, json.dumps(events), WebhookState.ACTIVE, call.store.clock.now()),
    )
    return Answer(201, {**_shape(_find(call, hook_id)), "secret": secret})


def list_webhooks(call: Call) -> Answer:
    refuse_unknown(call.query, known=())
    rows = call.store.execute("SELECT * FROM webhooks WHERE system = ? ORDER BY rowid", (call.system,)).fetchall()
    return Answer(200, {"items": [_shape(row) for row in rows], "next_cursor": None})


def get_webhook(call: Call) -> Answer:
    return Answer(200, _shape(_find(call, call.keys["key"])))


def delete_webhook(call: Call) -> Answer:
    hook = _find(call, call.keys["key"])
    call.store.execute("DELETE FROM webhooks WHERE id = ?", (hook["id"],))
    return Answer(204)


def list_deliveries(call: Call) -> Answer:
    """Newest first; the cursor is the `seq` of the last one seen."""
    hook = _find(call, call.keys["key"])
    refuse_unknown(call.query, known=("limit", "cursor", "state"))
    limit, cursor = page_size(call.query), call.query.get("cursor", str(2**62))
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
        raise invalid(("cursor", "is not one that this list gave out"))
    rows = call.store.execute(
        "SELECT * FROM deliveries WHERE webhook = ? AND seq < ? AND state = coalesce(?, state)"
        " ORDER BY seq DESC LIMIT ?",
        (hook["id"], min(int(cursor), 2**62), call.query.get("state"), limit + 1),
    ).fetchall()
    items = [_delivery_shape(row) for row in rows[:limit]]
    return Answer(200, {"items": items, "next_cursor": str(items[-1]["seq"]) if len(rows) > limit else None})


def _find(call: Call, hook_id: str) -> Any:
    row = call.store.execute("SELECT * FROM webhooks WHERE id = ? AND system = ?", (hook_id, call.system)).fetchone()
    if row is None:
        raise not_found("webhook", hook_id)
    return row


def _shape(row: Any) -> dict[str, Any]:
    shape = {name: row[name] for name in ("id", "url", "state", "created_at")}
    return {**shape, "events": json.loads(row["events"])}


def _delivery_shape(row: Any) -> dict[str, Any]:
    hidden = {"webhook", "due_at_s"}
    return {name: value for name, value in dict(row).items() if name not in hidden}


ROUTES = [
    ("POST", "/webhooks", create_webhook),
    ("GET", "/webhooks", list_webhooks),
    ("GET", "/webhooks/{key}", get_webhook),
    ("DELETE", "/webhooks/{key}", delete_webhook),
    ("GET", "/webhooks/{key}/deliveries", list_deliveries),
]
