"""What comes to the door, and the answer it gets. Pure data: made by HTTP views, webhooks and files, judged by `admission`, stored by `ingest`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from syncflows.engine.enums import EventStatus, IngestOutcome


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an arrival cannot be carried. `reason` a stable lower_snake code; `message` and `remedy` sentences for a person."""

    reason: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event at the door.

    source: the system's name. type: as the source names it. payload: parsed JSON. source_event_id: the source's own id, or empty: worked out by the contract.
    sequence, occurred_at: what the envelope says; the contract's expressions go first. subject: whom it is about, for people. correlation_id: known already;
    traceparent: W3C header. origin: how it came. line: in a file. raw: its text, kept if it is quarantined. problem: set where it could not be read at all.
    batch: the staged import it comes with; then nothing of it is written outside before somebody promotes it.
    """

    source: str
    type: str = ""
    payload: Any = None
    source_event_id: str = ""
    occurred_at: dt.datetime | None = None
    sequence: str = ""
    subject: str = ""
    correlation_id: str = ""
    traceparent: str = ""
    origin: str = ""
    line: int | None = None
    raw: str = ""
    problem: Problem | None = None
    batch: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an arrival. public_id and correlation_id are those of the first event of that source and id; `status` is how that one stands."""

    public_id: str
    correlation_id: str
    outcome: IngestOutcome
    status: EventStatus
    problem: Problem | None = None
