"""The sweeper: rows are the truth, the queue is a hint. Gives back what dead workers held, wakes what can go on, rings for what is due."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min

from meshline.kernel import clock, jobs
from syncflows.engine import claims, records, releasing
from syncflows.engine.batch import due_count
from syncflows.engine.crosswalk import Lookups, resolves
from syncflows.engine.enums import DUE, RunStatus
from syncflows.engine.limits import circuit
from syncflows.engine.models import Run
from syncflows.engine.replays import carrying as replays
from syncflows.engine.soft import bulk, gating
from syncflows.enums import HoldReason
from syncflows.governance import catalog

EVERY_S = 5  # between two rounds; what is due earlier rings for itself
WAITS_LOOKED_AT = 500
_looked_at = [""]  # where this process's next round begins


def sweep() -> dict[str, int]:
    """One round; {given_back, released, due}. Idempotent; safe from several processes at once."""
    given_back = claims.give_back_expired()
    released = release_resolved() + gating.take_up() + releasing.release_overlooked()
    released += releasing.release_live(catalog.current)
    circuit.sweep()
    if gating.due():
        jobs.ring("engine.ask_gates", at_most_every_s=2)
    bulk.nudge_silent()
    replays.nudge_all()
    due = due_count()
    if due:
        jobs.ring("engine.work")
    return {"given_back": given_back, "released": released, "due": due}


def next_due() -> datetime | None:
    """When the next run is due, where that is before the sweeper comes: a retry need not wait for it."""
    now = clock.now()
    soon = Run.objects.filter(status__in=DUE, due_at__gt=now, due_at__lt=now + timedelta(seconds=EVERY_S))
    return soon.aggregate(at=Min("due_at"))["at"]


def release_resolved() -> int:
    """Wake runs whose awaited record exists by now: an alias was declared, or the record arrived while they were being parked.

    Looks at some names a round and at the following ones in the next, so that names nobody will ever answer to do not hide the others.
    """
    waits = _next_waits()
    if not waits:
        return 0
    lookups = Lookups(catalog.current())
    ready = {wait for wait in waits if resolves(lookups, wait)}
    with transaction.atomic():
        return records.release_waiting(ready) if ready else 0


def _next_waits() -> list[str]:
    held = Run.objects.filter(status=RunStatus.HELD, hold_reason=HoldReason.DEPENDENCY)
    rows = held.filter(waits_for__gt=_looked_at[0]).order_by("waits_for").values_list("waits_for", flat=True)
    waits = list(rows.distinct()[:WAITS_LOOKED_AT])
    _looked_at[0] = waits[-1] if len(waits) == WAITS_LOOKED_AT else ""
    return waits
