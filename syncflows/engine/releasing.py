"""Lets runs go on whose reason to wait is gone: the paused one before them, or their flow was switched off. Each says so in its lineage."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Concat

from meshline.kernel import clock, jobs, transitions
from syncflows.engine import lineage
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run
from syncflows.engine.stopping import BEHIND, behind
from syncflows.enums import HoldReason
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

AT_ONCE = 500


def release_behind(run: Run) -> int:
    """Let the newer events of a record go on, in their order, once the paused one before them does or has ended; the count. Call in a transaction."""
    waiting = _held(HoldReason.PAUSED).filter(waits_for=behind(run))
    return _release(waiting, f"{run.public_id} is no longer paused")


def release_overlooked() -> int:
    """As `release_behind`, for those that came to wait in the moment in which the one before them went on; the count."""
    paused = _held(HoldReason.PAUSED).filter(flow=OuterRef("flow"), lane=OuterRef("lane"), waits_for="")
    its_own = paused.annotate(said=Concat(Value(BEHIND), F("public_id"))).filter(said=OuterRef("waits_for"))
    gone = _held(HoldReason.PAUSED).filter(~Exists(its_own), waits_for__gt="")
    with transaction.atomic():
        return _release(gone, "What it waited behind is no longer paused")


def release_live(definitions: Callable[[], Catalog]) -> int:
    """Let runs of flows go on that are live again, up to a bound; the count."""
    if not _held(HoldReason.FLOW_OFF).exists():
        return 0
    live = [flow.name for flow in definitions().all(Kind.FLOW) if flow.spec.live]
    with transaction.atomic():
        return _release(_held(HoldReason.FLOW_OFF).filter(flow__in=live), "Its flow is live again")


def _held(reason: HoldReason) -> QuerySet[Run]:
    return Run.objects.filter(status=RunStatus.HELD, hold_reason=reason)


def _release(waiting: QuerySet[Run], why: str) -> int:
    runs = list(waiting.select_for_update(of=("self",), skip_locked=True).order_by("pk")[:AT_ONCE])
    if not runs:
        return 0
    lineage.write([lineage.of_run(run, FactKind.RELEASED, why) for run in runs])
    transitions.move_many(
        Run.objects.filter(pk__in=[run.pk for run in runs]), machine=RUN, expected=[RunStatus.HELD], to=RunStatus.PENDING, due_at=clock.now(),
        hold_reason="", waits_for="", status_reason=why,
    )  # fmt: skip
    jobs.ring("engine.work")
    return len(runs)
