"""A record that kills its worker is parked after a few, with a ticket, instead of being tried for ever. The caller holds the runs."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from meshline.kernel import clock, transitions
from syncflows import hooks
from syncflows.engine import lineage
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run
from syncflows.enums import ExceptionClass, Severity
from syncflows.hooks import Failure


def is_poison(run: Run) -> bool:
    """Whether the worker that is gone now was one too many."""
    return run.deaths + 1 >= settings.MESHLINE_POISON_AFTER


def park(runs: Sequence[Run]) -> None:
    """Errored, each with its ticket, in the caller's transaction."""
    for run in runs:
        reason = _reason(run)
        lineage.write(
            [lineage.of_run(run, FactKind.ERRORED, reason, lease=run.lease_owner, workers_lost=run.deaths + 1)]
        )
        transitions.move_many(
            Run.objects.filter(pk=run.pk), machine=RUN, expected=[RunStatus.RUNNING], to=RunStatus.ERRORED, lease_owner="", lease_until=None,
            status_reason=reason, deaths=0, updated_at=clock.now(),
        )  # fmt: skip
    hooks.failed([_failure(run) for run in runs])


def _reason(run: Run) -> str:
    return f"{run.deaths + 1} workers in a row died while they carried it, the last ones with nothing else in hand"


def _failure(run: Run) -> Failure:
    return Failure(
        exception_class=ExceptionClass.INTERNAL, reason="worker_died", message=f"{run.canonical_key}: {_reason(run)}.", event_id=run.event_id, run_id=run.pk,
        flow=run.flow, severity=Severity.HARD, amount=run.amount, currency=run.currency, customer=run.customer, canonical_key=run.canonical_key,
        correlation_id=run.correlation_id, context={"payload": run.current_payload, "canonical": run.canonical, "lease": run.lease_owner},
        remedy="Look in the workers' log for what ended them (memory, a crash of a library). Mend that or the payload, then replay; a write that was sent is looked up first.",
    )  # fmt: skip
