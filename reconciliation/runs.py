"""One comparison of a flow with its target: ours and theirs listed, judged, written down. One at a time per flow.

Calls outside stand outside every transaction; nothing is judged unless both sides could be read to the end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from meshline.audit import ledger
from meshline.kernel import jobs, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid, MeshlineError
from reconciliation import compare, discrepancies, failing, our_side, their_side
from reconciliation.compare import Pair
from reconciliation.discrepancies import Saved
from reconciliation.enums import DiscrepancyKind, ReconciliationStatus
from reconciliation.judging import Judge, Judged
from reconciliation.machines import RECONCILIATION
from reconciliation.models import Discrepancy, ReconciliationRun
from reconciliation.our_side import Subject
from syncflows.governance import catalog
from syncflows.governance.enums import Kind

log = logging.getLogger(__name__)
LOCK_SPACE = 0x7265636F  # advisory locks of reconciliation; the second number is the flow
WINDOW_DAYS_MAX = 36500
PROGRESS_EVERY = 1000
Progress = Callable[[str], None]


def start(
    *, flow: str, window_days: int | None = None, by: Actor, today: date | None = None, progress: Progress | None = None
) -> ReconciliationRun:
    """Compare now and return the run: completed, or failed with the reason in `problem` when the target could not be read.

    The window is the last `window_days` (default: as the flow says) up to today, by business date. `progress` is told sentences.
    Raises Missing, Invalid (no rule, bad window), Conflict (a comparison of this flow is running). Locks: one comparison per flow.
    """
    about = our_side.subject(catalog.current(), flow)
    with _alone(flow):
        run = _begin(about, window_days=window_days, by=by, today=today)
        return _carry(about, run, by=by, progress=progress or _silent)


def ask(*, flow: str, window_days: int | None = None, by: Actor) -> ReconciliationRun:
    """As `start`, in a worker: returns the run as it begins. Raises as `start`."""
    about = our_side.subject(catalog.current(), flow)
    with _alone(flow), transaction.atomic():
        run = _begin(about, window_days=window_days, by=by, today=None)
        jobs.enqueue("reconciliation.carry", run_id=run.pk)
    return run


def carry(*, run_id: int, by: Actor) -> None:
    """Do what `ask` asked for, unless another comparison has taken its place. Idempotent: on the run."""
    run = ReconciliationRun.objects.get(pk=run_id)
    with _alone(run.flow):
        run.refresh_from_db()
        if run.status == ReconciliationStatus.RUNNING:
            try:
                _carry(our_side.subject(catalog.current(), run.flow), run, by=by, progress=_silent)
            except MeshlineError as error:
                failing.fail(run, error, by=by)


def flows_with_rule() -> list[str]:
    """Names of the live flows that can be compared."""
    return [found.name for found in catalog.current().all(Kind.FLOW) if found.spec.live and found.spec.reconcile]


def _begin(about: Subject, *, window_days: int | None, by: Actor, today: date | None) -> ReconciliationRun:
    """The row of a new comparison. Earlier rows of this flow that still say running lost their process: the lock was free."""
    days = about.rule.window_days if window_days is None else window_days
    if not 1 <= days <= WINDOW_DAYS_MAX:
        raise Invalid(
            f"A window of {days} days cannot be compared. Give 1 to {WINDOW_DAYS_MAX} days.", code="bad_window"
        )
    for lost in ReconciliationRun.objects.filter(flow=about.name, status=ReconciliationStatus.RUNNING):
        failing.end(lost, "It was cut off, or another comparison took its place. Nothing was judged by it.", by=by)
    last = today or timezone.now().date()
    first = max(last.toordinal() - days + 1, 1)
    run = ReconciliationRun.objects.create(
        flow=about.name,
        system=about.system.name,
        window_from=date.fromordinal(first),
        window_to=last,
        started_at=timezone.now(),
        started_by=str(by)[:200],
    )
    ledger.append(
        act="reconciliation.started",
        by=by,
        object_kind="reconciliation",
        object_id=run.public_id,
        detail={"flow": about.name, "window_days": days},
    )
    return run


def _carry(about: Subject, run: ReconciliationRun, *, by: Actor, progress: Progress) -> ReconciliationRun:
    try:
        judged, gone = _judge(about, run, progress)
        return _write(about, run, judged, gone, by=by)
    except MeshlineError as error:
        return failing.fail(run, error, by=by)
    except Exception as error:
        log.exception("%s", run.public_id)
        failing.fail(run, error, by=by)
        raise


def _judge(about: Subject, run: ReconciliationRun, progress: Progress) -> tuple[Judged, list[Discrepancy]]:
    """Everything that reads: both lists, the look-ups, and open discrepancies of the window that neither list shows any more."""
    target, reader = their_side.Target(about), about.reader()
    ours = our_side.in_window(about, reader, first=run.window_from, last=run.window_to, before=run.started_at)
    listing = _Listing(target.listed(first=run.window_from, last=run.window_to), progress)
    progress(f"{about.name}: reading our records and {about.system.name}, {run.window_from} to {run.window_to}")
    theirs = (item for document in listing if (item := reader.their_item(document)) is not None)
    pairs = compare.pair_up(ours, theirs, rules=reader.rules)
    reader.check(listing.count)
    progress(f"{about.name}: {listing.count} listed, {len(pairs)} keys; asking both sides about what does not agree")
    unseen = [row for row in discrepancies.still_open(about.name) if row.key not in pairs]
    for row in unseen:
        if not is_keyless(row) and _dated_within(row, run):
            pairs[row.key] = Pair(row.key)
    judged = Judge(about, reader, target, run.started_at).settle(pairs)
    unproven = [row for row in unseen if is_keyless(row) or not (target.can_find or row.ours)]
    judged.asked -= {row.key for row in unproven}
    return judged, gone_from_listing(about, target, unproven)


@transaction.atomic
def _write(
    about: Subject, run: ReconciliationRun, judged: Judged, gone: list[Discrepancy], *, by: Actor
) -> ReconciliationRun:
    saved = discrepancies.save(about, judged.comparison.findings, seen_by=run)
    saved.resolved = _resolve_gone(about, run, judged, gone, by=by)
    failing.recovered(run, by=by)
    counts: dict[str, Any] = {kind.value: saved.count(kind) for kind in DiscrepancyKind}
    moved: ReconciliationRun = transitions.move(
        ReconciliationRun, run.pk, machine=RECONCILIATION, expected=ReconciliationStatus.RUNNING, to=ReconciliationStatus.COMPLETED, by=by, ended_at=timezone.now(),
        compared=judged.comparison.compared, matched=len(judged.comparison.matched), tickets=len(saved.live), totals=_totals(judged, saved), **counts,
    )  # fmt: skip
    return moved


def _resolve_gone(about: Subject, run: ReconciliationRun, judged: Judged, gone: list[Discrepancy], *, by: Actor) -> int:
    """Resolve the open discrepancies that this comparison disproved."""
    found = {finding.key for finding in judged.comparison.findings}
    settled, explained = [*gone], []
    for row in discrepancies.still_open(about.name):
        if row.key in judged.explained:
            explained.append(row)
        elif row.key in judged.asked and row.key not in found | judged.in_flight:
            settled.append(row)
    ended = discrepancies.resolve(settled, note=f"{run.public_id} compared it again and both sides agree.", by=by)
    for row in explained:
        ended += discrepancies.resolve(
            [row],
            note=f"{run.public_id}: {judged.explained[row.key]} is parked with a ticket of its own and explains it.",
            by=by,
        )
    return len(ended)


def _totals(judged: Judged, saved: Saved) -> dict[str, Any]:
    beside = {
        "in_flight": len(judged.in_flight),
        "explained": len(judged.explained),
        "accepted": len(saved.accepted),
        "resolved": saved.resolved,
    }
    return {**judged.comparison.totals, **beside}


def is_keyless(row: Discrepancy) -> bool:
    """A document there without a reference of ours; nobody can look it up by one."""
    return bool(row.theirs) and row.ours is None and not any(item["key"] for item in row.theirs or ())


def gone_from_listing(about: Subject, target: their_side.Target, rows: list[Discrepancy]) -> list[Discrepancy]:
    """Of these discrepancies that nobody can look up, those whose document is not listed any more in the window that showed it last."""
    gone: list[Discrepancy] = []
    for first, last in sorted({(row.last_seen.window_from, row.last_seen.window_to) for row in rows}):
        reader = about.reader()
        listed = (reader.their_item(document) for document in target.listed(first=first, last=last))
        here = {item.key or item.ident for item in listed if item is not None}
        gone += [
            row
            for row in rows
            if (row.last_seen.window_from, row.last_seen.window_to) == (first, last) and not _names(row) & here
        ]
    return gone


def _names(row: Discrepancy) -> set[str]:
    """What its documents are listed under."""
    return {item["key"] or item["id"] for item in row.theirs or ()}


def _dated_within(row: Discrepancy, run: ReconciliationRun) -> bool:
    """By our business date; what only the target has carries none, and is always asked about."""
    day = (row.ours or {}).get("business_date")
    return day is None or run.window_from.isoformat() <= day <= run.window_to.isoformat()


@dataclass
class _Listing:
    """Counts what passes, and says so now and then."""

    documents: Iterator[Any]
    progress: Progress
    count: int = 0

    def __iter__(self) -> Iterator[Any]:
        for document in self.documents:
            self.count += 1
            if self.count % PROGRESS_EVERY == 0:
                self.progress(f"{self.count} listed")
            yield document


@contextmanager
def _alone(flow: str) -> Iterator[None]:
    """Hold the flow's lock for the block; it falls with this process's connection, so a killed comparison blocks nobody. Raises Conflict."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [LOCK_SPACE, flow])
        if not cursor.fetchone()[0]:
            raise Conflict(
                f"A comparison of {flow} is running already. Wait for it to end; its result is on the reconciliation page.",
                code="reconciliation_running",
            )
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [LOCK_SPACE, flow])


def _silent(_: str) -> None:
    """Nobody listens."""
