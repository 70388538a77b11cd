"""`POST /api/v1/events/`: CloudEvents 1.0 over HTTP, structured, batch and binary. Answered when committed, not before.

Duplicates get the first event's ids. What is malformed but can be attributed to a source is kept with a ticket, and the problem names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel import jsontext
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.errors import Invalid, MeshlineError, NotAllowed
from ownership.enums import Scope
from ownership.models import ApiToken
from syncflows.engine import bodies, cloudevents, doorways, ingest
from syncflows.engine.api_arrivals import EventList
from syncflows.engine.arrivals import Arrival, Problem, Receipt
from syncflows.engine.cloudevents import BadEvent, CloudEvent, WrongMedia
from syncflows.engine.enums import EventStatus, IngestOutcome
from syncflows.governance import catalog
from syncflows.governance.enums import Kind

ORIGIN = "http"
WAYS = (
    "Send a CloudEvent as application/cloudevents+json, several as application/cloudevents-batch+json, "
    "or its data as application/json with its attributes in ce- headers."
)


class Events(EventList):
    """The list of events, and the door that takes new ones."""

    required_scopes: Any = {**EventList.required_scopes, "POST": Scope.EVENTS_WRITE}
    content_negotiation_class = doorways.AlwaysJSON

    @extend_schema(
        operation_id="sendEvents",
        tags=["events"],
        summary="Send one CloudEvent, or a batch",
        description=WAYS,
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
                (400, 401, 403, 413, 415, 422, 503), OpenApiResponse(OpenApiTypes.OBJECT, "Problem document (RFC 9457)")
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
        door = Door(request.auth, request.headers, bodies.read(request._request))
        media, charset = cloudevents.media_type(request.headers.get("Content-Type", ""))
        if media == cloudevents.BATCH:
            cloudevents.refuse_other_charsets(charset)
            return door.take_batch()
        if media == cloudevents.STRUCTURED:
            cloudevents.refuse_other_charsets(charset)
            return door.take_one(cloudevents.structured)
        if any(name.lower().startswith(cloudevents.HEADER_PREFIX) for name in request.headers):
            return door.take_binary()
        raise WrongMedia(f"The Content-Type is {media or 'missing'}. {WAYS}")


class Door:
    """One request: who may send what, and what became of it."""

    def __init__(self, token: ApiToken, headers: Mapping[str, str], body: bytes) -> None:
        self.headers = headers
        self.allowed = frozenset(token.systems)
        self.body = body
        self.catalog = catalog.current()

    def take_one(self, read: Any) -> Response:
        """A structured event."""
        try:
            event = read(jsontext.parse(self.body))
        except jsontext.BadJSON as error:
            self._keep(error, source=self._only_source())
            raise
        except BadEvent as error:
            self._keep(error, source=error.source, event=error)
            raise
        return self._answer(event)

    def take_binary(self) -> Response:
        found, _ = cloudevents.attributes_of(self.headers)
        try:
            event = cloudevents.binary(self.headers, self.body)
        except (jsontext.BadJSON, BadEvent) as error:
            known = error if isinstance(error, BadEvent) else BadEvent([], attributes=found)
            self._keep(error, source=str(found.get("source", "")), event=known)
            raise
        return self._answer(event)

    def take_batch(self) -> Response:
        try:
            items = cloudevents.batch(jsontext.parse(self.body))
        except (jsontext.BadJSON, BadEvent) as error:
            self._keep(error, source=self._only_source())
            raise
        with transaction.atomic():
            answers = self._accept_all(items)
        if items and not any("event" in answer for answer in answers):
            raise Invalid("None of the events could be taken.", code="batch_refused", context={"events": answers})
        return Response({"events": answers}, status=status.HTTP_202_ACCEPTED)

    def _answer(self, event: CloudEvent) -> Response:
        self._check_source(event.source)
        [receipt] = ingest.accept([self._arrival(event, self.headers.get("traceparent", ""))], catalog=self.catalog)
        if receipt.status == EventStatus.QUARANTINED and receipt.problem:
            raise Invalid(
                f"{receipt.problem.message} It is kept as {receipt.public_id}, with a ticket.",
                code=receipt.problem.reason,
                context=_ids(receipt),
            )
        known = receipt.outcome == IngestOutcome.DUPLICATE
        return Response(_ids(receipt), status=status.HTTP_200_OK if known else status.HTTP_202_ACCEPTED)

    def _accept_all(self, items: list[CloudEvent | BadEvent]) -> list[dict[str, Any]]:
        """An answer for each, in order: its ids and outcome, or why it was refused."""
        answers: list[dict[str, Any]] = [{} for _ in items]
        taken: list[tuple[int, Arrival]] = []
        for index, item in enumerate(items):
            try:
                self._check_source(item.source)
                taken.append((index, self._batched(item)))
            except MeshlineError as refused:
                error = item if isinstance(item, BadEvent) and not item.source else refused
                answers[index] = {"status": "refused", "code": error.code, "detail": error.message}
        receipts = ingest.accept([arrival for _, arrival in taken], catalog=self.catalog)
        for (index, _), receipt in zip(taken, receipts, strict=True):
            problem = {"code": receipt.problem.reason, "detail": receipt.problem.message} if receipt.problem else {}
            answers[index] = {**_ids(receipt), "status": receipt.outcome.value, **problem}
        return answers

    def _batched(self, item: CloudEvent | BadEvent) -> Arrival:
        # A header's trace is the request's, not that of each business transaction in it.
        return self._bad_arrival(item, item.source) if isinstance(item, BadEvent) else self._arrival(item, "")

    def _arrival(self, event: CloudEvent, traceparent: str) -> Arrival:
        return Arrival(
            source=event.source, type=event.type, payload=event.data, source_event_id=event.id, occurred_at=event.time, sequence=event.sequence,
            subject=event.subject, traceparent=event.traceparent or traceparent, origin=ORIGIN,
        )  # fmt: skip

    def _bad_arrival(self, event: BadEvent, source: str) -> Arrival:
        problem = Problem("malformed_event", event.message, doorways.RESEND)
        return Arrival(
            source=source,
            type=event.type,
            payload=event.data,
            source_event_id=event.event_id,
            origin=ORIGIN,
            raw=jsontext.dumps(event.whole),
            problem=problem,
        )

    def _keep(self, error: MeshlineError, *, source: str, event: BadEvent | None = None) -> None:
        """Quarantine what can be attributed; the error then names the event. What cannot be is only refused."""
        if source not in self.catalog.by_kind.get(Kind.SYSTEM, {}) or (self.allowed and source not in self.allowed):
            return
        known = event or BadEvent([])
        arrival = Arrival(
            source=source, type=known.type, payload=known.data, source_event_id=known.event_id, traceparent=self.headers.get("traceparent", ""),
            origin=ORIGIN, raw=doorways.body_text(self.body),
        )  # fmt: skip
        doorways.quarantine(error, arrival=arrival, reason="malformed_event", catalog=self.catalog)

    def _only_source(self) -> str:
        """A token that may send for one system speaks for it, whatever it says."""
        return next(iter(self.allowed)) if len(self.allowed) == 1 else ""

    def _check_source(self, source: str) -> None:
        """Raises NotAllowed, Invalid."""
        if self.allowed and source not in self.allowed:
            raise NotAllowed(
                f"This token may send for {', '.join(sorted(self.allowed))}, not for {source!r}.",
                code="source_not_allowed",
                context={"source": source},
            )
        systems = self.catalog.by_kind.get(Kind.SYSTEM, {})
        if source not in systems:
            known = ", ".join(sorted(self.allowed or systems)) or "none yet; run `manage.py flows apply DIR`"
            raise Invalid(
                f"No system is named {source!r}; the source of an event is a system's name. Systems: {known}.",
                code="unknown_source",
            )


def _ids(receipt: Receipt) -> dict[str, Any]:
    return {"event": receipt.public_id, "correlation_id": receipt.correlation_id}
