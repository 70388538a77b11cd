"""The events of a fault run: deals, each touched once or more, in an order that is not the source's, some of them sent twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import InterfaceError, OperationalError, connection

from bench.chaos.verdict import Accepted
from syncflows.engine import ingest
from syncflows.engine.arrivals import Arrival, Receipt
from syncflows.engine.enums import IngestOutcome
from syncflows.governance import catalog

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = 60  # how far an event may arrive from its place
RESENT = 0.05
AGAIN_AFTER_S = 0.2
BATCH_MOST = 120
AGAIN = (2, 4)


def deals(draw: random.Random, *, events: int, touched_again: float) -> list[Accepted]:
    """`events` events, nearly in the source's order: some arrive late, within a window. `touched_again`: the share of deals with several."""
    made: list[tuple[float, Accepted]] = []
    key = 0
    while len(made) < events:
        key += 1
        began = draw.uniform(0, events)
        touches = draw.randint(*AGAIN) if draw.random() < touched_again else 1
        for touch in range(min(touches, events - len(made))):
            at = BEGINNING + timedelta(minutes=key, seconds=touch)
            event = Accepted(
                f"E{key}-{touch}",
                f"D{key}",
                at.isoformat(timespec="seconds"),
                Decimal(draw.randrange(100, 100_000)) / 100,
            )
            made.append((began + touch * WINDOW / 4 + draw.uniform(0, WINDOW), event))
    return [event for _, event in sorted(made, key=lambda pair: pair[0])]


@dataclass
class Sender:
    """Sends batches of a random size; what was accepted is what must come true."""

    draw: random.Random
    customer_id: str
    accepted: list[Accepted] = field(default_factory=list)
    resent: int = 0
    unanswered: int = 0

    def send(self, events: Sequence[Accepted]) -> None:
        """One batch through the door, with some events of before among it; again where no answer came, as sources do. Raises AssertionError if the door answers wrongly."""
        again = self.draw.sample(self.accepted, k=min(len(self.accepted), round(len(events) * RESENT)))
        arrivals = [self._arrival(event) for event in [*events, *again]]
        allowed = {IngestOutcome.ACCEPTED}
        while (receipts := _answer(arrivals)) is None:
            allowed.add(IngestOutcome.DUPLICATE)  # it may have been committed before the answer was lost
            self.unanswered += 1
        outcomes = [receipt.outcome for receipt in receipts]
        new, known = outcomes[: len(events)], outcomes[len(events) :]
        if set(new) - allowed or set(known) - {IngestOutcome.DUPLICATE}:
            raise AssertionError(f"The door answered {new} and {known} where {allowed} and duplicates were due.")
        self.accepted += events
        self.resent += len(again)

    def _arrival(self, event: Accepted) -> Arrival:
        payload = {
            "deal_id": event.key, "customer_id": self.customer_id, "stage": "won", "changed": event.sequence, "sku": "SKU-1",
            "amount": str(event.total), "list": str(event.total), "agent": "robin",
        }  # fmt: skip
        return Arrival(
            source="crm", type="deal.changed", payload=payload, source_event_id=event.event_id, origin="chaos"
        )


def _answer(arrivals: list[Arrival]) -> list[Receipt] | None:
    """None where the database went away meanwhile."""
    try:
        return ingest.accept(arrivals, catalog=catalog.current())
    except (OperationalError, InterfaceError):
        connection.close()
        time.sleep(AGAIN_AFTER_S)
        return None


def batches(draw: random.Random, events: Sequence[Accepted]) -> Iterator[Sequence[Accepted]]:
    start = 0
    while start < len(events):
        size = draw.randint(1, BATCH_MOST)
        yield events[start : start + size]
        start += size
