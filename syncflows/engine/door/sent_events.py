"""CloudEvents at `POST /api/v1/events/`: structured, batch and binary, read for one token. Stores nothing.

What is malformed but can be attributed to a source is kept with a ticket, and the problem names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshline.kernel import jsontext
from meshline.kernel.errors import Invalid, MeshlineError, NotAllowed
from ownership.models import ApiToken
from syncflows.engine import cloudevents, doorways
from syncflows.engine.arrivals import Arrival, Problem, Receipt
from syncflows.engine.cloudevents import BadEvent, CloudEvent, WrongMedia
from syncflows.engine.door import deliveries
from syncflows.engine.door.deliveries import Delivery, Told
from syncflows.engine.enums import EventStatus, IngestOutcome
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

ORIGIN = "http"
TAKEN, KNOWN = 202, 200
WAYS = (
    "Send a CloudEvent as application/cloudevents+json, several as application/cloudevents-batch+json, "
    "or its data as application/json with its attributes in ce- headers."
)


def read(token: ApiToken, *, headers: Mapping[str, str], body: bytes, definitions: Catalog) -> Delivery:
    """What this request brings. `headers` by lower-case name. Raises WrongMedia, NotAllowed, Invalid, BadEvent, BadJSON: then nothing is to be stored."""
    sending = _Sending(token, headers, body, definitions)
    media, charset = cloudevents.media_type(headers.get("content-type", ""))
    if media == cloudevents.BATCH:
        cloudevents.refuse_other_charsets(charset)
        return sending.batch()
    if media == cloudevents.STRUCTURED:
        cloudevents.refuse_other_charsets(charset)
        return sending.structured()
    if any(name.startswith(cloudevents.HEADER_PREFIX) for name in headers):
        return sending.binary()
    raise WrongMedia(f"The Content-Type is {media or 'missing'}. {WAYS}")


class _Sending:
    """One request: who may send what."""

    def __init__(self, token: ApiToken, headers: Mapping[str, str], body: bytes, definitions: Catalog) -> None:
        self.headers = headers
        self.allowed = frozenset(token.systems)
        self.body = body
        self.systems = definitions.by_kind.get(Kind.SYSTEM, {})

    def structured(self) -> Delivery:
        try:
            event = cloudevents.structured(jsontext.parse(self.body))
        except jsontext.BadJSON as error:
            return self._kept(error, source=self._only_source())
        except BadEvent as error:
            return self._kept(error, source=error.source, event=error)
        return self._single(event)

    def binary(self) -> Delivery:
        try:
            event = cloudevents.binary(self.headers, self.body)
        except (jsontext.BadJSON, BadEvent) as error:
            found, _ = cloudevents.attributes_of(self.headers)
            known = error if isinstance(error, BadEvent) else BadEvent([], attributes=found)
            return self._kept(error, source=str(found.get("source", "")), event=known)
        return self._single(event)

    def batch(self) -> Delivery:
        """Those that may be taken are stored together; the answer says of each what became of it."""
        try:
            items = cloudevents.batch(jsontext.parse(self.body))
        except (jsontext.BadJSON, BadEvent) as error:
            return self._kept(error, source=self._only_source())
        answers: list[dict[str, Any]] = [{} for _ in items]
        taken: list[tuple[int, Arrival]] = []
        for index, item in enumerate(items):
            try:
                self._check_source(item.source)
                taken.append((index, self._batched(item)))
            except MeshlineError as refused:
                told = item if isinstance(item, BadEvent) and not item.source else refused
                answers[index] = {"status": "refused", "code": told.code, "detail": told.message}
        if items and not taken:
            raise Invalid("None of the events could be taken.", code="batch_refused", context={"events": answers})
        return Delivery([arrival for _, arrival in taken], lambda receipts: _told_each(answers, taken, receipts))

    def _single(self, event: CloudEvent) -> Delivery:
        self._check_source(event.source)
        return Delivery([_arrival(event, self.headers.get("traceparent", ""))], _told_one)

    def _batched(self, item: CloudEvent | BadEvent) -> Arrival:
        # A header's trace is the request's, not that of each business transaction in it.
        return _bad_arrival(item) if isinstance(item, BadEvent) else _arrival(item, "")

    def _kept(self, error: MeshlineError, *, source: str, event: BadEvent | None = None) -> Delivery:
        """Raises the error where it cannot be attributed to a source of this token."""
        if source not in self.systems or (self.allowed and source not in self.allowed):
            raise error
        known = event or BadEvent([])
        arrival = Arrival(
            source=source, type=known.type, payload=known.data, source_event_id=known.event_id, traceparent=self.headers.get("traceparent", ""),
            origin=ORIGIN, raw=doorways.body_text(self.body),
        )  # fmt: skip
        return deliveries.kept(error, arrival=arrival)

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
        if source not in self.systems:
            known = ", ".join(sorted(self.allowed or self.systems)) or "none yet; run `manage.py flows apply DIR`"
            raise Invalid(
                f"No system is named {source!r}; the source of an event is a system's name. Systems: {known}.",
                code="unknown_source",
            )


def _arrival(event: CloudEvent, traceparent: str) -> Arrival:
    return Arrival(
        source=event.source, type=event.type, payload=event.data, source_event_id=event.id, occurred_at=event.time, sequence=event.sequence,
        subject=event.subject, traceparent=event.traceparent or traceparent, origin=ORIGIN,
    )  # fmt: skip


def _bad_arrival(event: BadEvent) -> Arrival:
    return Arrival(
        source=event.source, type=event.type, payload=event.data, source_event_id=event.event_id, origin=ORIGIN, raw=jsontext.dumps(event.whole),
        problem=Problem("malformed_event", event.message, deliveries.RESEND),
    )  # fmt: skip


def _told_one(receipts: list[Receipt]) -> Told:
    [receipt] = receipts
    if receipt.status == EventStatus.QUARANTINED and receipt.problem:
        raise Invalid(
            f"{receipt.problem.message} It is kept as {receipt.public_id}, with a ticket.",
            code=receipt.problem.reason,
            context=_ids(receipt),
        )
    return KNOWN if receipt.outcome == IngestOutcome.DUPLICATE else TAKEN, _ids(receipt)


def _told_each(answers: list[dict[str, Any]], taken: list[tuple[int, Arrival]], receipts: list[Receipt]) -> Told:
    for (index, _), receipt in zip(taken, receipts, strict=True):
        problem = {"code": receipt.problem.reason, "detail": receipt.problem.message} if receipt.problem else {}
        answers[index] = {**_ids(receipt), "status": receipt.outcome.value, **problem}
    return TAKEN, {"events": answers}


def _ids(receipt: Receipt) -> dict[str, Any]:
    return {"event": receipt.public_id, "correlation_id": receipt.correlation_id}
