"""Let a quarantined event through, corrected by a person. The original stays as it came; its corrected copy is a new event."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from meshline.kernel import transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid, Missing
from syncflows.engine import admission, ingest, lineage
from syncflows.engine.arrivals import Arrival, Receipt
from syncflows.engine.differences import payload_diff
from syncflows.engine.enums import EventStatus, FactKind, IngestOutcome
from syncflows.engine.machines import EVENT
from syncflows.engine.models import Event
from syncflows.governance import catalog


class StillMalformed(Invalid):
    """The corrected payload does not pass either. The code is the reason it would be quarantined for."""


def release(*, event_id: int, payload: dict[str, Any] | None, by: Actor, reason: str, type: str = "") -> Event:  # noqa: A002 - CloudEvents' own name
    """Accept the corrected payload (None: as it came, because the contract changed) as a new event with its runs. Returns the new event.

    `type` replaces the event's type where that was wrong or missing.
    Raises Missing, Conflict (not quarantined, or the source has sent it again by now), Invalid (no reason, still malformed); then nothing changes.
    Locks: the event.
    """
    if not reason.strip():
        raise Invalid("A release needs a reason: it becomes part of the record's lineage.", code="reason_missing")
    with transaction.atomic():
        event = _locked(event_id)
        arrival = _corrected(event, event.payload if payload is None else payload, type)
        receipt = _accepted(event, arrival)
        new = Event.objects.get(public_id=receipt.public_id)
        transitions.move(
            Event,
            event.pk,
            machine=EVENT,
            expected=EventStatus.QUARANTINED,
            to=EventStatus.RELEASED,
            by=by,
            reason=reason,
        )
        _tell(event, new, by=by, reason=reason)
    return new


def _locked(event_id: int) -> Event:
    event = Event.objects.select_for_update().filter(pk=event_id).first()
    if event is None:
        raise Missing(f"There is no event {event_id}.")
    if event.status != EventStatus.QUARANTINED:
        raise Conflict(
            f"{event.public_id} is {event.get_status_display().lower()}, not quarantined: there is nothing to release.",
            code="not_quarantined",
        )
    return event


def _corrected(event: Event, payload: Any, type_: str) -> Arrival:
    if payload is None:
        raise Invalid(
            f"{event.public_id} could not be read, so there is no payload to release. Write the corrected payload.",
            code="payload_missing",
        )
    return Arrival(
        source=event.source, type=type_ or event.type, payload=payload, source_event_id=admission.source_id_of(event.source_event_id), sequence=event.sequence,
        occurred_at=event.occurred_at, correlation_id=event.correlation_id, origin=f"released from {event.public_id}",
    )  # fmt: skip


def _accepted(event: Event, arrival: Arrival) -> Receipt:
    definitions = catalog.current()
    problem = admission.admit(arrival, definitions).problem
    if problem:
        raise StillMalformed(
            f"{event.public_id} cannot be released: {problem.message}",
            code=problem.reason,
            context={"remedy": problem.remedy},
        )
    receipt = ingest.accept([arrival], catalog=definitions)[0]
    if receipt.outcome == IngestOutcome.DUPLICATE:
        message = f"{event.source} has sent this event by now: {receipt.public_id} carries it. Releasing {event.public_id} too would do it twice; resolve its ticket instead."
        raise Conflict(message, code="already_received", context={"event": receipt.public_id})
    return receipt


def _tell(event: Event, new: Event, *, by: Actor, reason: str) -> None:
    changes = payload_diff(event.payload, new.payload)
    detail: dict[str, Any] = {"reason": reason, "changes": changes}
    lineage.write(
        [
            lineage.fact(
                FactKind.RELEASED,
                f"Released by {by} as {new.public_id}: {reason}",
                event_id=event.pk,
                actor=str(by),
                released_as=new.public_id,
                **detail,
            ),
            lineage.fact(
                FactKind.CORRECTED,
                f"Comes from {event.public_id}, corrected and released by {by}: {reason}",
                event_id=new.pk,
                actor=str(by),
                released_from=event.public_id,
                **detail,
            ),  # fmt: skip
        ]
    )
