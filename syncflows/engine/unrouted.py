"""Events that no live flow wanted when they arrived: routed to one that wants them now, when a person says so, and never silently."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet

from meshline.audit import ledger
from meshline.kernel import actors, bulk_rows, clock, jobs, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid
from ownership.models import User
from ownership.permissions import Ability, check_user_can
from syncflows.engine import lineage
from syncflows.engine.enums import EventStatus, FactKind, RunStatus
from syncflows.engine.machines import EVENT
from syncflows.engine.models import Event, Run
from syncflows.engine.runs import WORK
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind

CHUNK = 500
MOST = 5_000  # in one act; the rest takes another


@dataclass(frozen=True)
class Preview:
    """What routing would do: `events` of so many `records`, received from `oldest` to `newest`."""

    flow: str
    events: int
    records: int
    oldest: datetime | None
    newest: datetime | None


def count(flow: Versioned, definitions: Catalog) -> int:
    """How many wait. One query over the events that were not accepted."""
    return _waiting(flow, definitions).count()


def preview(name: str) -> Preview:
    """What `route` would do now. Writes nothing. Raises Missing."""
    found = _waiting(*_flow(name)).aggregate(
        events=Count("pk"), records=Count("lane", distinct=True), oldest=Min("received_at"), newest=Max("received_at")
    )
    return Preview(name, **found)


def check_user_can_route(user: User, flow: Versioned) -> None:
    """Raises NotAllowed, Conflict."""
    check_user_can(user, Ability.CONTROL_RUNS)
    if not flow.spec.live:
        raise Conflict(
            f"The flow {flow.name} is not live, so it takes no events. Switch it on first.", code="flow_is_off"
        )


def route(name: str, *, by: User, reason: str) -> int:
    """Give each waiting event of the flow's contract a run, in the order of arrival; how many. What is older than what was carried since is superseded.

    At most 5,000 at once. Raises Missing, NotAllowed, Conflict (the flow is not live), Invalid (no reason). Idempotent: on the event.
    Locks: the events, 500 at a time.
    """
    (flow, definitions), why, actor = _flow(name), " ".join(reason.split()), actors.of(by)
    check_user_can_route(by, flow)
    if not why:
        raise Invalid("Routing needs a reason: it becomes part of each event's lineage.", code="reason_missing")
    routed = 0
    with jobs.one_ring():
        while routed < MOST and (done := _chunk(flow, definitions, actor, why)):
            routed += done
    return routed


def _chunk(flow: Versioned, definitions: Catalog, by: Actor, why: str) -> int:
    with transaction.atomic():
        rows = _waiting(flow, definitions).select_for_update(of=("self",), skip_locked=True)
        events = list(rows.defer("payload", "raw").order_by("pk")[:CHUNK])
        if not events:
            return 0
        bulk_rows.create([_run(event, flow) for event in events])
        transitions.move_many(
            Event.objects.filter(pk__in=[event.pk for event in events]), machine=EVENT, expected=[EventStatus.UNROUTED],
            to=EventStatus.ACCEPTED, problem="",
        )  # fmt: skip
        said = f"Routed to {flow.name} by {by}: {why}"
        lineage.write(
            [
                lineage.fact(FactKind.RECEIVED, said, event_id=event.pk, actor=str(by), flows=[flow.name])
                for event in events
            ]
        )
        first, last = events[0].public_id, events[-1].public_id
        ledger.append(
            act="events.routed", by=by, object_kind="flow", object_id=flow.name, reason=why,
            detail={"events": len(events), "first": first, "last": last},
        )  # fmt: skip
        jobs.ring(WORK)
    return len(events)


def _run(event: Event, flow: Versioned) -> Run:
    return Run(
        event_id=event.pk, flow=flow.name, flow_version_id=flow.id, status=RunStatus.PENDING, lane=event.lane, sequence=event.sequence,
        due_at=clock.now(), correlation_id=event.correlation_id, canonical_key=event.canonical_key, priority=flow.spec.priority, batch="",
    )  # fmt: skip


def _waiting(flow: Versioned, definitions: Catalog) -> QuerySet[Event]:
    contract = definitions.by_kind.get(Kind.CONTRACT, {}).get(flow.spec.trigger.contract)
    if contract is None:
        return Event.objects.none()
    return Event.objects.filter(
        status=EventStatus.UNROUTED, source=contract.spec.system, type__in=contract.spec.types
    ).exclude(lane="")


def _flow(name: str) -> tuple[Versioned, Catalog]:
    definitions = catalog.current()
    return definitions.get(Kind.FLOW, name), definitions
