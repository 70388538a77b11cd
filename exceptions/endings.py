"""Tickets and approvals of records that went on or ended by themselves, and of systems that came back. Called by the engine's hooks."""

from __future__ import annotations

from django.db import transaction

from exceptions import asking, tickets, timeline
from exceptions.enums import LIVE, Resolution
from exceptions.models import Ticket
from exceptions.opening import open_all
from meshline.kernel import actors
from meshline.kernel.actors import Actor
from ownership.enums import SystemState
from syncflows.engine.enums import RunStatus
from syncflows.enums import ExceptionClass, Severity
from syncflows.hooks import Failure

RELEASED = "released"  # what `engine.records` says of runs whose dependency arrived
HEALTH = actors.system("system health")
RESOLUTION_OF_STATUS = {
    RunStatus.SUPERSEDED.value: Resolution.SUPERSEDED,
    RunStatus.CANCELLED.value: Resolution.WRITTEN_OFF,
    RunStatus.COMPENSATED.value: Resolution.COMPENSATED,
    RunStatus.COMPLETED.value: Resolution.RECOVERED,
    RunStatus.IGNORED.value: Resolution.RECOVERED,
}


def close_of_runs(run_ids: list[int], why: str, by: Actor) -> None:
    """Resolve the live tickets of these runs and void what is asked about them. `why`: a run status, a resolution, or a sentence.

    Idempotent: on the run. Locks: approvals and tickets of the runs (the caller holds the runs).
    """
    with transaction.atomic(savepoint=False):
        rows = Ticket.objects.select_for_update(of=("self",)).filter(
            run_id__in=run_ids, subject__startswith="run:", status__in=LIVE
        )
        live = list(rows.order_by("subject"))
        resolution = resolution_for(why)
        asking.void_of_runs(run_ids, why=resolution.label + ".", by=by)
        for ticket in live:
            timeline.end(ticket, resolution=resolution, note=_note(why), by=by)


def resolution_for(why: str) -> Resolution:
    """How a ticket ends when its run ended so; what we do not know counts as recovery."""
    if why in Resolution.values:
        return Resolution(why)
    return RESOLUTION_OF_STATUS.get(why, Resolution.RECOVERED)


def follow_system(system: str, state: str, reason: str) -> None:
    """Down: open the one ticket of this system, or count another failure. Up: resolve it. Idempotent: on the system, while it is down."""
    if state == SystemState.DOWN:
        open_all([_outage(system, reason)])
    elif state == SystemState.UP:
        tickets.close_subjects(
            [f"system:{system}"], resolution=Resolution.RECOVERED, note=reason or f"{system} answers again.", by=HEALTH
        )


def _outage(system: str, reason: str) -> Failure:
    return Failure(
        exception_class=ExceptionClass.OUTAGE, reason="system_down", system=system, severity=Severity.HARD,
        message=f"{system} does not take our calls: {reason}" if reason else f"{system} does not take our calls.",
        remedy=f"Writes to {system} wait and go on by themselves once it answers. If it does not come back, call its owner; check its credential and address.",
    )  # fmt: skip


def _note(why: str) -> str:
    if why == RELEASED:
        return "What it waited for has arrived."
    return "" if why in Resolution.values or why in RunStatus.values else why
