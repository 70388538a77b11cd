"""`POST /api/v1/events/`: CloudEvents 1.0 over HTTP, structured, batch and binary. Answered when committed, not before.

Duplicates get the first event's ids. What is malformed but can be attributed to a source is kept with a ticket, and the problem names it.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel import actors
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.errors import NotAllowed
from ownership.enums import Scope
from ownership.models import ApiToken
from syncflows.engine import bodies, cloudevents, doorways
from syncflows.engine.api_arrivals import EventList
from syncflows.engine.door import groups, sent_events
from syncflows.engine.soft import batches
from syncflows.governance import catalog


class Events(EventList):
    """The list of events, and the door that takes new ones."""

    required_scopes: Any = {**EventList.required_scopes, "POST": Scope.EVENTS_WRITE}
    content_negotiation_class = doorways.AlwaysJSON

    @extend_schema(
        operation_id="sendEvents",
        tags=["events"],
        summary="Send one CloudEvent, or a batch",
        description=sent_events.WAYS,
        request={
            cloudevents.STRUCTURED: OpenApiTypes.OBJECT,
            cloudevents.BATCH: OpenApiTypes.OBJECT,
            "application/json": OpenApiTypes.OBJECT,
        },
        responses={
            202: OpenApiResponse(
                OpenApiTypes.OBJECT,
                "Committed: {event, correlation_id}; for a batch {events: [{event, correlation_id, status}]}",
            ),
            200: OpenApiResponse(OpenApiTypes.OBJECT, "Known already (source and id): the first event's ids"),
            **dict.fromkeys(
                (400, 401, 403, 408, 413, 415, 422, 429, 503),
                OpenApiResponse(OpenApiTypes.OBJECT, "Problem document (RFC 9457)"),
            ),
        },
    )
    @idempotent(atomic=False)  # a malformed event is kept even though it is refused
    def post(self, request: Request) -> Response:
        if not isinstance(request.auth, ApiToken):
            raise NotAllowed(
                "Events are sent by systems, with a token of scope events:write. Get one: manage.py token create.",
                code="token_required",
            )
        body = bodies.read(request._request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = sent_events.read(request.auth, headers=headers, body=body, definitions=catalog.current())
        arrivals = batches.marked(delivery.arrivals, headers=headers, by=actors.of(request.user))
        status, document = delivery.tell(groups.take(arrivals, size_bytes=len(body)))
        return Response(document, status=status)
