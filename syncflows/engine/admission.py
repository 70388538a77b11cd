"""Judge an arrival against the definitions in force: which contract, which record, which flows; or why it must be quarantined.

Pure: no database, no network. Every arrival gets a verdict; nothing that a sender can write raises.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from meshline.kernel import ids, jsontext
from meshline.kernel.errors import MeshlineError
from syncflows.engine import contracts, traceparent
from syncflows.engine.arrivals import Arrival, Problem
from syncflows.engine.sequences import BadSequence, sortable
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind

ID_LENGTH, TYPE_LENGTH, SEQUENCE_LENGTH, ORIGIN_LENGTH, RAW_LENGTH = 200, 120, 60, 300, 1_000_000
# A quarantined event does not hold its source's id: the corrected event may be sent again, or released, under it.
QUARANTINE_MARK = "#quarantined-"


@dataclass(slots=True)
class Admission:
    """An arrival with its verdict, ready to be a row.

    payload_text: exact JSON, or None. problem: set where it is to be quarantined; then likely_flow names whose it would be. flows: empty where nobody wants it.
    """

    arrival: Arrival
    source_event_id: str
    correlation_id: str
    payload_text: str | None
    contract: Versioned | None = None
    key: str = ""
    sequence: str = ""
    occurred_at: dt.datetime | None = None
    problem: Problem | None = None
    named_by_source: bool = True
    likely_flow: str = ""
    flows: list[Versioned] = field(default_factory=list)
    public_id: str = field(default_factory=lambda: ids.new("evt"))

    @property
    def lane(self) -> str:
        return f"{self.contract.spec.object}:{self.key}" if self.contract and self.key else ""

    @property
    def raw(self) -> str:
        """The text kept with a quarantined event."""
        return (
            clean(self.arrival.raw or self.payload_text or _as_text(self.arrival.payload))[:RAW_LENGTH]
            if self.problem
            else ""
        )


def admit(arrival: Arrival, catalog: Catalog) -> Admission:
    """The verdict on one arrival."""
    correlation = arrival.correlation_id or traceparent.trace_id(arrival.traceparent) or traceparent.new_trace_id()
    arrival = _cleaned(arrival)
    payload_text, problem = _stored_form(arrival)
    found = Admission(
        arrival,
        "",
        correlation,
        payload_text,
        sequence=arrival.sequence,
        occurred_at=arrival.occurred_at,
        problem=arrival.problem or problem,
    )
    found.contract = catalog.contract_for(source=arrival.source, type=arrival.type)
    if found.problem is None:
        found.problem = _identified(found, catalog)
    flows = catalog.flows_for(found.contract.name) if found.contract else []
    if found.problem is None:
        found.flows = flows
        return found
    found.likely_flow = flows[0].name if flows else ""
    found.source_event_id = _mark(found)
    found.named_by_source = bool(arrival.source_event_id)
    return found


def clean(text: str) -> str:
    """The text with what PostgreSQL cannot store (NUL, lone surrogates) written as escapes."""
    if jsontext.UNSTORABLE.search(text) is None:
        return text
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def source_id_of(stored: str) -> str:
    """The source's own id in a stored one; empty where the source gave none."""
    return stored.split(QUARANTINE_MARK, maxsplit=1)[0]


def _cleaned(arrival: Arrival) -> Arrival:
    event_id = clean(arrival.source_event_id)
    if len(event_id) > ID_LENGTH:
        event_id = f"sha256:{hashlib.sha256(event_id.encode()).hexdigest()}"
    return replace(
        arrival, source=clean(arrival.source)[:80], type=clean(arrival.type), source_event_id=event_id, subject=clean(arrival.subject),
        sequence=clean(arrival.sequence)[:SEQUENCE_LENGTH], origin=clean(arrival.origin)[:ORIGIN_LENGTH],
    )  # fmt: skip


def _stored_form(arrival: Arrival) -> tuple[str | None, Problem | None]:
    if arrival.payload is None:
        return None, None
    try:
        return json.dumps(jsontext.storable(arrival.payload), cls=jsontext.ExactEncoder, allow_nan=False), None
    except (jsontext.BadJSON, ValueError, TypeError, RecursionError) as error:
        return None, Problem(
            "malformed_event",
            str(error),
            "Correct the payload here and release it, or have the source send it again without that.",
        )


def _as_text(payload: Any) -> str:
    """What cannot be stored as JSON, as near to it as can be."""
    try:
        return "" if payload is None else json.dumps(payload, cls=jsontext.ExactEncoder)
    except (ValueError, TypeError, RecursionError):
        return f"(a {type(payload).__name__} that is not JSON)"


def _identified(found: Admission, catalog: Catalog) -> Problem | None:
    """Fill in key, ids, sequence and time; or say what is wrong."""
    arrival = found.arrival
    if problem := _unknown(arrival, found.contract, catalog):
        return problem
    assert found.contract is not None, "checked by _unknown"
    try:
        payload = contracts.read(found.contract, arrival.payload)
        identity = contracts.identify(found.contract, payload)
        found.sequence = sortable(identity.sequence or found.sequence, found.contract.spec.sequence_type)
    except MeshlineError as error:
        return _unreadable(error, found.contract)
    found.key = identity.key
    found.occurred_at = identity.occurred_at or found.occurred_at
    found.named_by_source = bool(arrival.source_event_id or found.contract.spec.event_id)
    found.source_event_id = arrival.source_event_id or identity.event_id
    return None


def _unknown(arrival: Arrival, contract: Versioned | None, catalog: Catalog) -> Problem | None:
    if not arrival.source:
        return Problem(
            "source_missing", "The event names no source.", "Send it with the name of the system it comes from."
        )
    if not arrival.type:
        return Problem(
            "type_missing", f"An event from {arrival.source} has no type.", "Have the source send the event's type."
        )
    if contract is None:
        known = (
            ", ".join(
                name
                for found in catalog.all(Kind.CONTRACT)
                if found.spec.system == arrival.source
                for name in found.spec.types
            )
            or "none"
        )
        message = (
            f"No contract says what {arrival.type!r} from {arrival.source} looks like. Types with a contract: {known}."
        )
        return Problem(
            "unknown_event_type",
            message,
            "Add the type to a contract (manage.py flows apply) and release the event, or stop the source from sending it.",
        )
    if not isinstance(arrival.payload, Mapping):
        kind = {type(None): "missing", list: "a list"}.get(type(arrival.payload), "a single value")
        return Problem(
            "malformed_event",
            f"The payload of {arrival.type} is {kind}; it takes a JSON object.",
            "Correct the payload here and release it, or have the source send an object.",
        )
    return None


def _unreadable(error: MeshlineError, contract: Versioned) -> Problem:
    reason = error.code if isinstance(error, contracts.Unreadable | BadSequence) else "key_missing"
    remedy = (
        f"Correct the fields here and release the event, or change contract {contract.name} if the source is right."
    )
    return Problem(reason, error.message, remedy)


def _mark(found: Admission) -> str:
    """An id that the same bad delivery gets again, and a corrected one does not."""
    arrival = found.arrival
    content = arrival.raw or found.payload_text or _as_text(arrival.payload)
    digest = hashlib.sha256(f"{arrival.type}\n{content}".encode("utf-8", "backslashreplace")).hexdigest()[:24]
    room = ID_LENGTH - len(QUARANTINE_MARK) - len(digest)
    return f"{arrival.source_event_id[:room]}{QUARANTINE_MARK}{digest}"
