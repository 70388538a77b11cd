"""What the HTTP doors share: the body as bytes, known sources, a bad body that still becomes a ticket."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation

from meshline.kernel.errors import MeshlineError
from syncflows.engine import ingest
from syncflows.engine.admission import clean
from syncflows.engine.arrivals import Arrival, Problem, Receipt
from syncflows.governance.catalog import Catalog

RESEND = "Have the source send it again as it should be, or write the corrected payload here and release it."


class AlwaysJSON(BaseContentNegotiation):
    """Answers JSON whatever the sender says it accepts: a webhook is not turned away for its Accept header."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def body_text(body: bytes) -> str:
    """The body for people: bytes that are not UTF-8 are written as escapes."""
    return clean(body.decode("utf-8", "backslashreplace"))


def quarantine(error: MeshlineError, *, arrival: Arrival, reason: str, catalog: Catalog) -> Receipt:
    """Keep what could not be read, with a ticket, and name the event in the error."""
    kept = Arrival(
        source=arrival.source, type=arrival.type, payload=arrival.payload, source_event_id=arrival.source_event_id, traceparent=arrival.traceparent,
        origin=arrival.origin, raw=arrival.raw, problem=Problem(reason, error.message, RESEND),
    )  # fmt: skip
    [receipt] = ingest.accept([kept], catalog=catalog)
    error.context |= {"event": receipt.public_id, "correlation_id": receipt.correlation_id}
    return receipt
