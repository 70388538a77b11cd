"""What a connector is. It declares capabilities and implements only those; the contract tests in `tests/contract` hold it to this page.

Values in and out are JSON-compatible; amounts travel as numerals in text. A connector holds no state that a restart may not lose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

JSON = dict[str, Any]


class Guard(StrEnum):
    """How the far side helps that nothing is done twice, per operation; best first."""

    IDEMPOTENCY_KEY = "idempotency_key"
    UPSERT = "upsert_by_external_id"
    UNIQUE_REFERENCE = "unique_reference"
    LOOKUP = "lookup"
    NONE = "none"


@dataclass(frozen=True)
class Operation:
    """One thing a system can be asked to do.

    name: as flows name it. writes: whether it changes the far side. guard: see Guard. finds: whether `find` can look its documents up.
    undoes: the operation whose document it takes back; `find` then gives what was taken back, or, where it `removes` the document, what is still there.
    on_document: it acts on the document that `external_id` names, and answers with that id.
    settle_s: how long a look-up may lag behind a write, in place of the system's. looks: how many look-ups in a row must find nothing.
    """

    name: str
    writes: bool
    guard: Guard = Guard.NONE
    finds: bool = True
    undoes: str = ""
    removes: bool = False
    on_document: bool = False
    settle_s: float | None = None
    looks: int = 1


@dataclass(frozen=True)
class Call:
    """One outside write.

    operation: name. document: the body, mapped. reference: our key in the far side's document. idempotency_key: deterministic.
    attempt: 1 for the first. external_id: the far side's id of the document, for updates and cancellations. correlation: headers to propagate (traceparent).
    check: to be called as the last thing before the request is written to the wire; it raises Transient where the write is not ours any more.
    """

    operation: str
    document: JSON
    reference: str
    idempotency_key: str
    attempt: int = 1
    external_id: str = ""
    correlation: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Answer:
    """What the far side said. external_id: its id or number for the document. document: what it holds now, as it said. created: False for an update or a repeat.
    complete: False for a document that `find` found half made (a draft that nobody confirmed): it is ours, and `execute` of the same call carries it on."""

    external_id: str
    document: JSON
    created: bool = True
    complete: bool = True


@dataclass(frozen=True)
class WebhookEvent:
    """One event in a webhook. source_event_id identifies it for ever at that source; sequence orders events of one record, where the source says."""

    type: str
    source_event_id: str
    payload: JSON
    occurred_at: datetime | None = None
    sequence: str = ""
    subject: str = ""
    traceparent: str = ""


@dataclass(frozen=True)
class Health:
    """Whether the system answers; `detail` a sentence; latency in milliseconds."""

    ok: bool
    detail: str
    latency_ms: int | None = None


@runtime_checkable
class Connector(Protocol):
    """Made per process and system by `registry.connect`; used by several threads at once."""

    def operations(self) -> Mapping[str, Operation]:
        """What this system can do, by name."""

    def execute(self, call: Call) -> Answer:
        """Perform one write, once. Raises the errors of `connectors.errors`; OutcomeUnknown whenever the request may have arrived unanswered."""

    def find(self, operation: str, *, reference: str) -> list[Answer]:
        """The documents that carry our reference, for probing an `operation` whose outcome is unknown: none, one, or several (a duplicate)."""

    def list_window(self, operation: str, *, since: datetime, until: datetime) -> Iterator[JSON]:
        """Every document of a period, for reconciliation, page after page."""

    def get(self, operation: str, *, external_id: str) -> JSON:
        """One document as the far side holds it now. Raises NotFound."""

    def verify_webhook(
        self, *, headers: Mapping[str, str], body: bytes, now: datetime, uri: str = ""
    ) -> list[WebhookEvent]:
        """Check signature and freshness, then read. `uri`: the full address it was sent to, which some schemes sign. Raises BadWebhook."""

    def health(self) -> Health:
        """Ask whether the system answers and accepts our credential. Never raises."""

    def close(self) -> None:
        """Let go of connections."""
