"""Order per record: which run of a lane is newer, and which older ones a newer one makes pointless."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Collate

from syncflows.engine.enums import IN_FLIGHT, PARKED, RunStatus, StepStatus
from syncflows.engine.models import Run, Step
from syncflows.enums import HoldReason

# A newer run in one of these has spoken for the record; one that failed or was closed has not.
Lane = tuple[str, str]  # flow, lane
SPOKEN = (RunStatus.COMPLETED, RunStatus.IGNORED, RunStatus.HELD, RunStatus.RETRYING, RunStatus.RUNNING)


@dataclass(frozen=True)
class Lanes:
    """By (flow, lane): `newest` run that has spoken for the record; `paused` the oldest that a person stopped, which newer ones must not overtake."""

    newest: dict[Lane, Run]
    paused: dict[Lane, Run]


def place(run: Run) -> tuple[str, int]:
    """The run's place in its lane: the source's sequence, then arrival."""
    return (run.sequence, run.event_id)


def newer_run(run: Run) -> Run | None:
    """The newest run of the same flow and lane that has spoken for the record after this one, if any."""
    return _beyond(run).filter(status__in=SPOKEN).order_by("-in_order", "-event_id").first()


def newest_spoken(runs: Collection[Run]) -> dict[Lane, Run]:
    """For each (flow, lane) of these runs, the newest other run that has spoken for the record. One query."""
    return lanes(runs).newest


def lanes(runs: Collection[Run]) -> Lanes:
    """How the lanes of these runs stand, by what other runs have done. One query."""
    newest: dict[Lane, Run] = {}
    paused: dict[Lane, Run] = {}
    own = {run.pk for run in runs}
    rows = Run.objects.filter(lane__in={run.lane for run in runs}, status__in=SPOKEN).exclude(pk__in=own)
    for row in rows.only("flow", "lane", "sequence", "event_id", "public_id", "status", "hold_reason"):
        lane = (row.flow, row.lane)
        if lane not in newest or place(row) > place(newest[lane]):
            newest[lane] = row
        if row.hold_reason == HoldReason.PAUSED and (lane not in paused or place(row) < place(paused[lane])):
            paused[lane] = row
    return Lanes(newest, paused)


def newer_runs(runs: Collection[Run]) -> dict[int, Run]:
    """For each of these runs, by its row number, what `newer_run` finds. One query."""
    lanes: dict[tuple[str, str], Run] = {}
    for row in Run.objects.filter(lane__in={run.lane for run in runs}, status__in=SPOKEN).defer(
        "payload", "clearances"
    ):
        held = lanes.get((row.flow, row.lane))
        if held is None or place(row) > place(held):
            lanes[row.flow, row.lane] = row
    newest = {run.pk: lanes.get((run.flow, run.lane)) for run in runs}
    return {run.pk: found for run in runs if (found := newest[run.pk]) is not None and place(found) > place(run)}


def parked_in_lanes(runs: Collection[Run]) -> dict[tuple[str, str], list[tuple[Run, bool]]]:
    """Parked runs of these runs' lanes, locked, by (flow, lane), each with whether it may have changed the far side.

    One query; call in a transaction. A run somebody else holds is left alone.
    """
    wrote = Step.objects.filter(run=OuterRef("pk"), owns_write=True, status__in=(StepStatus.DONE, *IN_FLIGHT))
    found: dict[tuple[str, str], list[tuple[Run, bool]]] = {}
    rows = Run.objects.select_for_update(of=("self",), skip_locked=True).filter(
        lane__in={run.lane for run in runs}, status__in=PARKED
    )
    for row in rows.annotate(wrote=Exists(wrote)).order_by("pk"):
        found.setdefault((row.flow, row.lane), []).append((row, row.wrote))
    return found


def _beyond(run: Run) -> QuerySet[Run]:
    """Byte by byte, as claims and Python compare, whatever the database's own collation makes of upper case and punctuation."""
    newer = Q(in_order__gt=run.sequence) | Q(sequence=run.sequence, event_id__gt=run.event_id)
    rows = Run.objects.filter(flow=run.flow, lane=run.lane).annotate(in_order=Collate("sequence", "C"))
    return rows.filter(newer)
