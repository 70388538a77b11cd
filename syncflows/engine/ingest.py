"""From the doorstep to a committed event with its runs: one transaction for a batch, a constant number of queries.

The caller may answer "accepted" when `accept` has returned and the transaction around it, if any, has committed. Never calls another system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from meshline.kernel import bulk_rows, clock, jobs
from syncflows import hooks
from syncflows.engine import counters, lineage
from syncflows.engine.admission import TYPE_LENGTH, Admission, admit
from syncflows.engine.arrivals import Arrival, Receipt
from syncflows.engine.enums import EventStatus, FactKind, IngestOutcome, RunStatus
from syncflows.engine.models import Run
from syncflows.engine.runs import WORK
from syncflows.enums import ExceptionClass
from syncflows.governance.catalog import Catalog

EXCERPT_LENGTH = 500
IMPORTED_LATER = 2_000  # staged imports are carried when nothing live is due

# Ids are drawn in the order of arrival, keys written in their own order, so that two batches with common events cannot deadlock. Who gets the key is new.
INSERT_EVENTS = """
WITH arrived AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('engine_event', 'id')) AS id, fields.*
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                %s::text[], %s::timestamptz[], %s::text[])
      AS fields(public_id, source, source_event_id, type, status, payload, raw, problem, canonical_key, lane, sequence, correlation_id, occurred_at, origin)
), new AS (
    INSERT INTO engine_eventkey (source_event_id, source, event_id)
    SELECT source_event_id, source, id FROM arrived ORDER BY source, source_event_id, id
    ON CONFLICT (source_event_id, source) DO NOTHING
    RETURNING event_id
)
INSERT INTO engine_event (id, public_id, source, source_event_id, type, status, payload, raw, problem, canonical_key, lane, sequence, correlation_id,
                          occurred_at, origin, received_at, synthetic)
SELECT id, public_id, source, source_event_id, type, status, payload::jsonb, raw, problem, canonical_key, lane, sequence, correlation_id,
       occurred_at, origin, clock_timestamp(), false
FROM arrived JOIN new ON new.event_id = arrived.id ORDER BY id
RETURNING public_id, id
"""
FIND_FIRST = """
SELECT key.source, key.source_event_id, event.public_id, event.correlation_id, event.status
FROM engine_eventkey AS key JOIN unnest(%s::text[], %s::text[]) AS wanted(source, source_event_id) USING (source, source_event_id)
JOIN engine_event AS event ON event.id = key.event_id
"""


def accept(arrivals: Sequence[Arrival], *, catalog: Catalog) -> list[Receipt]:
    """Store events with their runs, lineage and tickets; a receipt for each, in order.

    Bad events are quarantined, never refused. Idempotent: on (source, source event id); a quarantined event on its content.
    """
    if not arrivals:
        return []
    admitted = [admit(arrival, catalog) for arrival in arrivals]
    with transaction.atomic():
        rows = _insert_events(admitted)
        new = [(rows[found.public_id], found) for found in admitted if found.public_id in rows]
        _start_runs(new)
        _write_lineage(new)
        hooks.failed([_failure(event_id, found) for event_id, found in new if found.problem])
        receipts = _receipts(admitted, rows)
        _announce(new, receipts)
    return receipts


def status_of(found: Admission) -> EventStatus:
    if found.problem:
        return EventStatus.QUARANTINED
    return EventStatus.ACCEPTED if found.flows else EventStatus.UNROUTED


def _insert_events(admitted: list[Admission]) -> dict[str, int]:
    """Row numbers of the events that are new, by public id."""
    columns = zip(*(_row(found) for found in admitted), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(INSERT_EVENTS, [list(column) for column in columns])
        return dict(cursor.fetchall())


def _row(found: Admission) -> tuple[Any, ...]:
    arrival = found.arrival
    return (
        found.public_id, arrival.source, found.source_event_id, arrival.type[:TYPE_LENGTH], status_of(found).value, found.payload_text, found.raw,
        _problem_text(found), found.key, found.lane, found.sequence, found.correlation_id, found.occurred_at, arrival.origin,
    )  # fmt: skip


def _problem_text(found: Admission) -> str:
    if found.problem:
        return found.problem.message
    return "" if found.flows else f"No live flow takes contract {found.contract.name if found.contract else ''}."


def _start_runs(new: list[tuple[int, Admission]]) -> None:
    now = clock.now()
    runs = [
        Run(
            event_id=event_id, flow=flow.name, flow_version_id=flow.id, status=RunStatus.PENDING, lane=found.lane, sequence=found.sequence, due_at=now,
            correlation_id=found.correlation_id, canonical_key=found.key, priority=flow.spec.priority + IMPORTED_LATER * bool(found.arrival.batch),
            batch=found.arrival.batch,
        )
        for event_id, found in new for flow in found.flows
    ]  # fmt: skip
    if runs:
        bulk_rows.create(runs)


def _write_lineage(new: list[tuple[int, Admission]]) -> None:
    facts, keys = [], []
    for event_id, found in new:
        facts.append(_fact(event_id, found))
        keys += _trace_keys(event_id, found)
    lineage.write(facts, keys)


def _fact(event_id: int, found: Admission) -> lineage.Fact:
    arrival = found.arrival
    what = f"{arrival.type or 'An event'} from {arrival.source or 'nobody'}"
    detail: dict[str, Any] = {"origin": arrival.origin, "source_event_id": found.source_event_id}
    if arrival.batch:
        detail["batch"] = arrival.batch
    if arrival.subject:
        detail["subject"] = arrival.subject
    if found.problem:
        return lineage.fact(
            FactKind.QUARANTINED,
            f"{what} quarantined: {found.problem.message}",
            event_id=event_id,
            reason=found.problem.reason,
            remedy=found.problem.remedy,
            **detail,
        )
    assert found.contract is not None, "an event without a contract is quarantined"
    judged = {"contract": found.contract.name, "contract_version": found.contract.spec.version}
    if not found.flows:
        return lineage.fact(
            FactKind.UNROUTED,
            f"{what} received; no live flow takes contract {found.contract.name}.",
            event_id=event_id,
            **detail,
            **judged,
        )
    names = [flow.name for flow in found.flows]
    told = {name: detail[name] for name in ("batch", "subject") if name in detail}  # the event's row says the rest
    said = f"{what} received for {', '.join(names)}."
    return lineage.fact(FactKind.RECEIVED, said, event_id=event_id, flows=names, **judged, **told)


def _trace_keys(event_id: int, found: Admission) -> list[lineage.Name]:
    """The source's id of the event is found through its `EventKey`, but for quarantined events, which do not hold it."""
    names = {"correlation_id": found.correlation_id, "canonical_key": found.key}
    if found.problem and found.named_by_source:
        names["source_event_id"] = found.arrival.source_event_id or found.source_event_id
    return [lineage.key(value, kind, event_id) for kind, value in names.items() if value]


def _failure(event_id: int, found: Admission) -> hooks.Failure:
    arrival, problem = found.arrival, found.problem
    assert problem is not None, "asked of quarantined events only"
    where: dict[str, Any] = {
        "event": found.public_id,
        "type": arrival.type,
        "origin": arrival.origin,
        "excerpt": found.raw[:EXCERPT_LENGTH],
    }
    where |= {"line": arrival.line} if arrival.line else {}
    where |= {"payload": arrival.payload} if found.payload_text else {}
    return hooks.Failure(
        ExceptionClass.DATA_QUALITY, problem.reason, problem.message, problem.remedy, event_id=event_id, system=arrival.source, flow=found.likely_flow,
        correlation_id=found.correlation_id, canonical_key=found.key, context=where, batch=arrival.batch,
    )  # fmt: skip


def _receipts(admitted: list[Admission], rows: dict[str, int]) -> list[Receipt]:
    first = _first_events([found for found in admitted if found.public_id not in rows])
    receipts = []
    for found in admitted:
        if found.public_id in rows:
            outcome = IngestOutcome.QUARANTINED if found.problem else IngestOutcome.ACCEPTED
            receipts.append(Receipt(found.public_id, found.correlation_id, outcome, status_of(found), found.problem))
        else:
            public_id, correlation_id, status = first[found.arrival.source, found.source_event_id]
            receipts.append(
                Receipt(public_id, correlation_id, IngestOutcome.DUPLICATE, EventStatus(status), found.problem)
            )
    return receipts


def _first_events(duplicates: list[Admission]) -> dict[tuple[str, str], tuple[str, str, str]]:
    if not duplicates:
        return {}
    wanted = sorted({(found.arrival.source, found.source_event_id) for found in duplicates})
    with connection.cursor() as cursor:
        cursor.execute(FIND_FIRST, [[source for source, _ in wanted], [event_id for _, event_id in wanted]])
        return {
            (source, event_id): (public_id, correlation_id, status)
            for source, event_id, public_id, correlation_id, status in cursor.fetchall()
        }


def _announce(new: list[tuple[int, Admission]], receipts: list[Receipt]) -> None:
    if any(found.flows for _, found in new):
        jobs.ring(WORK)
    counters.count_events([receipt.outcome for receipt in receipts])
