"""The sweeper: rows are the truth, the queue is a hint. Gives back what dead workers held, wakes what can go on, rings for what is due."""

from __future__ import annotations

from django.db import transaction

from meshline.kernel import jobs
from syncflows.engine import claims, records
from syncflows.engine.batch import due_count
from syncflows.engine.crosswalk import Lookups, Unresolved
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from syncflows.enums import HoldReason
from syncflows.governance import catalog

WAITS_LOOKED_AT = 500


def sweep() -> dict[str, int]:
    """One round; {given_back, released, due}. Idempotent; safe from several processes at once."""
    given_back = claims.give_back_expired()
    released = release_resolved()
    due = due_count()
    if due:
        jobs.ring("engine.work")
    return {"given_back": given_back, "released": released, "due": due}


def release_resolved() -> int:
    """Wake runs whose awaited record exists by now: an alias was declared, or the record arrived while they were being parked."""
    waits = list(
        Run.objects.filter(status=RunStatus.HELD, hold_reason=HoldReason.DEPENDENCY).order_by("waits_for").values_list("waits_for", flat=True).distinct()[:WAITS_LOOKED_AT]
    )
    if not waits:
        return 0
    lookups = Lookups(catalog.current())
    ready = {wait for wait in waits if _resolves(lookups, wait)}
    with transaction.atomic():
        return records.release_waiting(ready) if ready else 0


def _resolves(lookups: Lookups, wait: str) -> bool:
    """Whether the record exists, and, for one that waited on a delivery, has been delivered somewhere."""
    entity, system, value = wait.split(":", 2)
    try:
        return bool(lookups.lookup(system, entity, value))
    except Unresolved:
        return False
