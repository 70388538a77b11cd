"""`POST /ingest/<system>/`: a system's own webhook, checked by its own signature. Answered when committed.

Nothing of an untrusted delivery is stored. A trusted one that cannot be read is kept with a ticket. No input makes this fail with 500.
"""

from __future__ import annotations

import logging

from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from meshline.kernel.errors import Missing, Unavailable
from syncflows.connectors.errors import BadWebhook, Misconfigured
from syncflows.connectors.protocol import WebhookEvent
from syncflows.engine import bodies, counters, doorways, ingest
from syncflows.engine.arrivals import Arrival
from syncflows.engine.connections import connection
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind

log = logging.getLogger(__name__)
BAD_SIGNATURE = "bad_signature"


class SystemWebhook(APIView):
    """Outside the token scheme: the signature says who calls."""

    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = doorways.AlwaysJSON
    schema = None

    def post(self, request: Request, system: str) -> Response:
        definitions = catalog.current()
        found = definitions.by_kind.get(Kind.SYSTEM, {}).get(system)
        if found is None or found.spec.webhook is None:
            raise Missing(
                "No system of that name sends webhooks here. Its definition needs `webhook:`.", code="unknown_webhook"
            )
        body = bodies.read(request._request)
        events = _verified(request, found, body, definitions)
        receipts = ingest.accept([_arrival(event, found, request) for event in events], catalog=definitions)
        return Response({"events": [receipt.public_id for receipt in receipts]}, status=status.HTTP_202_ACCEPTED)


def _verified(request: Request, system: Versioned, body: bytes, definitions: Catalog) -> list[WebhookEvent]:
    """The events of a trusted delivery. Raises BadWebhook (kept first, where the signature was right), Unavailable where our own definition is wrong."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        connector = connection(system)
        return connector.verify_webhook(
            headers=headers, body=body, now=timezone.now(), uri=request.build_absolute_uri()
        )
    except BadWebhook as error:
        if error.code == BAD_SIGNATURE:
            _refuse(system, error)
        else:
            error.http_status = status.HTTP_400_BAD_REQUEST
            doorways.quarantine(
                error, arrival=_unreadable(system, error, body), reason="malformed_event", catalog=definitions
            )
        raise
    except Misconfigured as error:
        log.error("webhook of %s cannot be checked: %s", system.name, error.message)
        counters.count_refused_webhook(system=system.name, reason=error.code)
        raise Unavailable(
            f"Webhooks of {system.name} cannot be checked at the moment; its administrator has been told in the log.",
            code="webhook_misconfigured",
        ) from error


def _refuse(system: Versioned, error: BadWebhook) -> None:
    error.http_status = status.HTTP_401_UNAUTHORIZED
    counters.count_refused_webhook(system=system.name, reason=error.code)
    log.warning("webhook of %s refused: %s", system.name, error.message)


def _arrival(event: WebhookEvent, system: Versioned, request: Request) -> Arrival:
    return Arrival(
        source=system.name, type=event.type, payload=event.payload, source_event_id=event.source_event_id, occurred_at=event.occurred_at,
        sequence=event.sequence, subject=event.subject, traceparent=event.traceparent or request.headers.get("traceparent", ""), origin="webhook",
    )  # fmt: skip


def _unreadable(system: Versioned, error: BadWebhook, body: bytes) -> Arrival:
    told = error.context
    return Arrival(
        source=system.name,
        type=str(told.get("type") or ""),
        source_event_id=str(told.get("source_event_id") or ""),
        origin="webhook",
        raw=doorways.body_text(body),
    )
