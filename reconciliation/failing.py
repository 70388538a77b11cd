"""A comparison that could not be made: the run says why, and one ticket of the flow lasts until a comparison succeeds again."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from exceptions import tickets
from exceptions.enums import Resolution
from meshline.kernel import transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import MeshlineError
from reconciliation.enums import ReconciliationStatus
from reconciliation.machines import RECONCILIATION
from reconciliation.models import ReconciliationRun
from syncflows.connectors.errors import Outage, Transient
from syncflows.enums import ExceptionClass
from syncflows.hooks import Failure

SUBJECT = "reconciliation:"


def fail(run: ReconciliationRun, error: Exception, *, by: Actor) -> ReconciliationRun:
    """Run and ticket in one transaction. The ticket of a flow whose comparison fails every night is one."""
    with transaction.atomic():
        ended = end(run, _sentence(error), by=by)
        tickets.open_all([_failure(ended, error)], subjects=[f"{SUBJECT}{run.flow}"])
    return ended


def end(run: ReconciliationRun, problem: str, *, by: Actor) -> ReconciliationRun:
    """Only the run; for those that another comparison has overtaken."""
    ended: ReconciliationRun = transitions.move(
        ReconciliationRun, run.pk, machine=RECONCILIATION, expected=ReconciliationStatus.RUNNING, to=ReconciliationStatus.FAILED, by=by, reason=problem,
        problem=problem, ended_at=timezone.now(),
    )  # fmt: skip
    return ended


def recovered(run: ReconciliationRun, *, by: Actor) -> None:
    """A comparison was made: the ticket about failing ones is done."""
    tickets.close_subjects(
        [f"{SUBJECT}{run.flow}"], resolution=Resolution.RECOVERED, note=f"{run.public_id} compared it.", by=by
    )


def _failure(run: ReconciliationRun, error: Exception) -> Failure:
    return Failure(
        exception_class=_class(error), reason="comparison_failed", flow=run.flow, system=run.system,
        message=f"{run.flow} could not be compared with {run.system}: {run.problem}", context={"run": run.public_id, "code": getattr(error, "code", "unexpected_error")},
        remedy="Nothing was judged, so differences may go unseen. Remove the cause, then start the comparison again; this ticket closes once one succeeds.",
    )  # fmt: skip


def _class(error: Exception) -> ExceptionClass:
    if isinstance(error, Outage):
        return ExceptionClass.OUTAGE
    return ExceptionClass.TRANSIENT if isinstance(error, Transient) else ExceptionClass.INTERNAL


def _sentence(error: Exception) -> str:
    if isinstance(error, MeshlineError):
        return error.message
    return f"Meshline failed unexpectedly ({type(error).__name__}); nothing was judged. The log has the trace."
