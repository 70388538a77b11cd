"""Reads a webhook: first who sent it, then what it says. Whatever the signature proves to be theirs is never dropped: a body that
cannot be read raises BadWebhook `bad_body` with what is known, so that the caller can keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from meshline.kernel import expressions, jsontext
from meshline.kernel.errors import MeshlineError
from meshline.kernel.jsontext import BadJSON
from syncflows.connectors.errors import BadWebhook
from syncflows.connectors.http import signatures
from syncflows.connectors.http.secrets import Redactor, resolve
from syncflows.connectors.http.signatures import Delivery
from syncflows.connectors.protocol import WebhookEvent
from syncflows.governance.schemas.systems import Webhook

MILLISECONDS_FROM = 10**11
BATCH_MAX = 1000


@dataclass(frozen=True)
class Shape:
    """Where a scheme's events keep what we ask for. id_header: one id for the whole delivery, where there is one."""

    type: str = "body.type"
    payload: str = "body.data"
    occurred_at: str = "has(body.timestamp) ? body.timestamp : null"
    event_id: str = "null"
    id_header: str = ""


DEFAULT = Shape()  # what the definition's schema fills in where nothing is said
SHAPES = {
    "standard_webhooks": Shape(id_header="webhook-id"),
    # HubSpot: eventId alone is not unique, and attemptNumber differs between deliveries of one event.
    "hubspot_v3": Shape(
        type="body.subscriptionType",
        payload="body",
        occurred_at="body.occurredAt",
        event_id="join([body.eventId, body.subscriptionId, body.objectId, body.occurredAt], '-')",
    ),
    "shopify": Shape(
        type="headers['x-shopify-topic']",
        payload="body",
        occurred_at="'x-shopify-triggered-at' in headers ? headers['x-shopify-triggered-at'] : null",
        id_header="x-shopify-webhook-id",
    ),
    "stripe": Shape(payload="body.data.object", occurred_at="body.created", event_id="body.id"),
    "zendesk": Shape(payload="body", occurred_at="has(body.time) ? body.time : null", event_id="body.id"),
    "shared_secret": Shape(),
}


def receive(
    webhook: Webhook, *, headers: Mapping[str, str], body: bytes, now: datetime, uri: str, redactor: Redactor
) -> list[WebhookEvent]:
    """The events of one delivery; several for a batch. `source_event_id` is empty where the source gives none.

    Raises BadWebhook: bad_signature, or bad_body after a right signature, with what is known in `context`.
    """
    secret = resolve(webhook.secret, where="spec.webhook.secret", redactor=redactor)
    secrets = [redactor.learn(part.strip()) for part in secret.split(",") if part.strip()]
    delivery = Delivery({name.lower(): value for name, value in headers.items()}, body, uri)
    signatures.verify(
        webhook.scheme,
        delivery=delivery,
        secrets=secrets,
        now=now,
        tolerance_s=webhook.tolerance_s,
        header=webhook.header,
    )
    return _read(webhook, delivery, redactor)


def _read(webhook: Webhook, delivery: Delivery, redactor: Redactor) -> list[WebhookEvent]:
    try:
        parsed = jsontext.storable(jsontext.parse(delivery.body))
    except BadJSON as error:
        raise _bad_body(webhook, delivery, error.message) from error
    batch = parsed if isinstance(parsed, list) else [parsed]
    if not batch or len(batch) > BATCH_MAX:
        raise _bad_body(webhook, delivery, f"it holds {len(batch)} events; 1 to {BATCH_MAX} are read.")
    try:
        return [
            _event(webhook, delivery, element, number=number if len(batch) > 1 else None)
            for number, element in enumerate(batch)
        ]
    except MeshlineError as error:
        raise _bad_body(webhook, delivery, redactor.scrub(error.message)) from error


def _event(webhook: Webhook, delivery: Delivery, element: Any, *, number: int | None) -> WebhookEvent:
    scope = expressions.Scope({"body": element, "headers": dict(delivery.headers)})
    shape = SHAPES[webhook.scheme]
    payload = _value(shape.payload if webhook.payload == DEFAULT.payload else webhook.payload, scope)
    kind = _text(_value(shape.type if webhook.type == DEFAULT.type else webhook.type, scope))
    if not isinstance(payload, dict):
        raise BadWebhook("the payload is not a JSON object.")
    if not kind:
        raise BadWebhook("the event has no type.")
    return WebhookEvent(
        type=kind,
        source_event_id=_event_id(webhook, delivery, scope, number),
        payload=payload,
        occurred_at=_moment(_value(webhook.occurred_at or shape.occurred_at, scope)),
        sequence=_sequence(_value(webhook.sequence, scope)) if webhook.sequence else "",
        traceparent=delivery.headers.get("traceparent", ""),
    )


def _event_id(webhook: Webhook, delivery: Delivery, scope: expressions.Scope, number: int | None) -> str:
    """By the definition; else by the scheme's id header, numbered within a batch; else by the body."""
    shape = SHAPES[webhook.scheme]
    if webhook.event_id:
        return _text(_value(webhook.event_id, scope))
    if shape.id_header:
        found = delivery.headers.get(shape.id_header, "")
        return f"{found}.{number}" if found and number is not None else found
    return _text(_value(shape.event_id, scope))


def _value(source: str, scope: expressions.Scope) -> Any:
    return expressions.compiled(source).evaluate(scope)


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | dict | list) else str(value)


def _sequence(value: Any) -> str:
    """Whole numbers are padded, because sequences are compared as text."""
    text = _text(value)
    return text.zfill(20) if text.isdigit() else text


def _moment(value: Any) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970. Raises BadWebhook."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int) or str(value).isdigit():
            number = int(value)
            return datetime.fromtimestamp(number / 1000 if number >= MILLISECONDS_FROM else number, UTC)
        at = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError) as error:
        raise BadWebhook(f"the time {str(value)[:40]!r} cannot be read; ISO 8601 or seconds since 1970 can.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _bad_body(webhook: Webhook, delivery: Delivery, why: str) -> BadWebhook:
    header = SHAPES[webhook.scheme].id_header
    context = {
        "signature": "right",
        "scheme": webhook.scheme,
        "source_event_id": delivery.headers.get(header, "") if header else "",
        "traceparent": delivery.headers.get("traceparent", ""),
        "size_bytes": len(delivery.body),
        "errors": [{"field": "body", "message": why}],
    }
    return BadWebhook(f"The webhook is signed rightly, but cannot be read: {why}", code="bad_body", context=context)
