"""One request at a door, read: what is to be stored, and what its sender is told once it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from meshline.kernel.errors import MeshlineError
from syncflows.engine.arrivals import Arrival, Problem, Receipt

RESEND = "Have the source send it again as it should be, or write the corrected payload here and release it."
Told = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """`arrivals` are stored in one transaction. `tell` makes status and body of the receipts, which come in the same order; it may raise
    the problem that the sender is to see, and what was stored stays stored."""

    arrivals: list[Arrival]
    tell: Callable[[list[Receipt]], Told]


def kept(error: MeshlineError, *, arrival: Arrival, reason: str = "malformed_event") -> Delivery:
    """What could not be read but whose sender is known: kept with a ticket, refused with the error, which then names the event."""
    problem = Problem(reason, error.message, RESEND)
    bad = Arrival(
        source=arrival.source, type=arrival.type, payload=arrival.payload, source_event_id=arrival.source_event_id, traceparent=arrival.traceparent,
        origin=arrival.origin, raw=arrival.raw, problem=problem,
    )  # fmt: skip

    def tell(receipts: list[Receipt]) -> NoReturn:
        error.context |= {"event": receipts[0].public_id, "correlation_id": receipts[0].correlation_id}
        raise error

    return Delivery([bad], tell)
