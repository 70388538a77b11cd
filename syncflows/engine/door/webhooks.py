"""A system's own webhook at `POST /ingest/<system>/`, checked by its own signature and read. Stores nothing.

Nothing of an untrusted delivery is stored. A trusted one that cannot be read is kept with a ticket.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from django.utils import timezone

from meshline.kernel.errors import MeshlineError, Missing, Unavailable
from syncflows.connectors.errors import BadWebhook, Misconfigured
from syncflows.connectors.protocol import WebhookEvent
from syncflows.engine import counters, doorways
from syncflows.engine.arrivals import Arrival, Receipt
from syncflows.engine.connections import connection
from syncflows.engine.door import deliveries
from syncflows.engine.door.deliveries import Delivery, Told
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind

log = logging.getLogger(__name__)
ORIGIN = "webhook"
BAD_SIGNATURE = "bad_signature"


def read(system: str, *, headers: Mapping[str, str], body: bytes, uri: str, definitions: Catalog) -> Delivery:
    """What a trusted delivery brings. `headers` by lower-case name. Raises Missing, BadWebhook where the signature is wrong, Misconfigured."""
    found = known(system, definitions)
    try:
        events = connection(found).verify_webhook(headers=headers, body=body, now=timezone.now(), uri=uri)
    except BadWebhook as error:
        if error.code == BAD_SIGNATURE:
            raise
        error.http_status = HTTPStatus.BAD_REQUEST
        return deliveries.kept(error, arrival=_unreadable(found, error, body))
    traceparent = headers.get("traceparent", "")
    return Delivery([_arrival(event, found, traceparent) for event in events], _told)


def known(system: str, definitions: Catalog) -> Versioned:
    """Raises Missing."""
    found = definitions.by_kind.get(Kind.SYSTEM, {}).get(system)
    if found is None or found.spec.webhook is None:
        raise Missing(
            "No system of that name sends webhooks here. Its definition needs `webhook:`.", code="unknown_webhook"
        )
    return found


def refusal(error: MeshlineError, *, system: str) -> MeshlineError:
    """What the sender is told of a delivery that was not read; counts and logs it."""
    if isinstance(error, BadWebhook):
        error.http_status = HTTPStatus.UNAUTHORIZED
        counters.count_refused_webhook(system=system, reason=error.code)
        log.warning("webhook of %s refused: %s", system, error.message)
    elif isinstance(error, Misconfigured):
        log.error("webhook of %s cannot be checked: %s", system, error.message)
        counters.count_refused_webhook(system=system, reason=error.code)
        return Unavailable(
            f"Webhooks of {system} cannot be checked at the moment; its administrator has been told in the log.",
            code="webhook_misconfigured",
        )
    return error


def _told(receipts: list[Receipt]) -> Told:
    return HTTPStatus.ACCEPTED.value, {"events": [receipt.public_id for receipt in receipts]}


def _arrival(event: WebhookEvent, system: Versioned, traceparent: str) -> Arrival:
    return Arrival(
        source=system.name, type=event.type, payload=event.payload, source_event_id=event.source_event_id, occurred_at=event.occurred_at,
        sequence=event.sequence, subject=event.subject, traceparent=event.traceparent or traceparent, origin=ORIGIN,
    )  # fmt: skip


def _unreadable(system: Versioned, error: BadWebhook, body: bytes) -> Arrival:
    told = error.context
    return Arrival(
        source=system.name, type=str(told.get("type") or ""), source_event_id=str(told.get("source_event_id") or ""), origin=ORIGIN,
        raw=doorways.body_text(body),
    )  # fmt: skip
