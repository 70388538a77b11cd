"""One batch: claim due runs of distinct lanes, decide in memory, write in bulk, call outside concurrently, record. The engine's heart."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction

from meshline.kernel import clock, jsontext, transitions
from meshline.kernel.errors import MeshlineError
from syncflows.engine import (
    adoption,
    claims,
    compensation,
    execute,
    failures,
    lineage,
    loading,
    ordering,
    recording,
    records,
    resting,
    stages,
    stopping,
)
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.claims import Lease
from syncflows.engine.crosswalk import Lookups
from syncflows.engine.enums import DUE, PARKED, FactKind, RunStatus
from syncflows.engine.execute import Job
from syncflows.engine.limits.board import Board, board
from syncflows.engine.limits.waking import waits_for
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run, WriteAttempt
from syncflows.engine.soft import ledger, marks
from syncflows.governance import catalog as definitions
from syncflows.governance.catalog import Catalog
from syncflows.hooks import runs_ended

log = logging.getLogger(__name__)
DUE_COUNTED_MAX = 1000


def work(*, limit: int | None = None) -> int:
    """Carry up to `limit` due runs as far as they go now. Returns how many were claimed (0: nothing is due, or others hold it).

    Safe to call from any number of processes at once. Raises only when the database is gone; the leases then run out and others go on.
    """
    lease = claims.claim(limit=limit or settings.MESHLINE_BATCH_SIZE)
    if not lease.run_ids:
        return 0
    try:
        with claims.kept_alive(lease):
            _carry(lease)
    except Exception:
        log.exception("a batch of %d was broken off; its runs are given back and carried on", len(lease.run_ids))
        claims.give_back(lease)
    return len(lease.run_ids)


def _carry(lease: Lease) -> None:
    catalog = definitions.current()
    carries = loading.load(lease, catalog)
    _decide(carries, catalog)
    _in_bulk_or_singly(carries, lambda some: _store(lease, some))
    _waves(lease, carries, catalog, board())


def _decide(carries: Sequence[Carry], catalog: Catalog) -> None:
    lanes = ordering.lanes([carry.run for carry in carries])
    lookups = Lookups(catalog)
    for carry in carries:
        waited, plan = carry.run.waits_for, carry.run.plan_fingerprint
        last = lanes.newest.get((carry.run.flow, carry.run.lane))
        stopping.check(carry, lanes, catalog)
        if carry.backward:
            compensation.prepare(carry, newest=last)
            continue
        if not carry.rest:
            stages.prepare(carry, newest=last, lookups=lookups)
        if waited.startswith(waits_for("")) and carry.run.plan_fingerprint == plan and not carry.rest:
            carry.facts.clear()  # judged as before it waited for a system: told already
            carry.keys.clear()


def _store(lease: Lease, carries: Sequence[Carry]) -> None:
    """Commit what was decided: plans for those that go on, rest and ticket for the others."""
    with transaction.atomic():
        held = _held(lease, carries)
        _supersede_older(held)
        adoption.settle([carry for carry in held if not carry.rest and not carry.backward])
        compensation.settle([carry for carry in held if not carry.rest and carry.backward])
        known = _complete_without_steps(held)
        resting.apply(held)
        records.apply(known)  # after those that wait for such a record are held: it releases them


def _waves(lease: Lease, carries: Sequence[Carry], catalog: Catalog, limits: Board) -> None:
    active = [carry for carry in carries if not carry.rest]
    while active:
        jobs = [job for carry in active if (job := execute.next_job(carry, catalog=catalog, board=limits))]
        try:
            jobs = _announce(lease, active, limits.admit(jobs))
            results = execute.perform(jobs, holds=lease.holds) if jobs else []
            limits.heard(results)
        finally:
            limits.release()
        if jobs:
            _in_bulk_or_singly(recording.carries_of(jobs), partial(_answered, lease, results=results))
        _save_health(limits)
        active = [job.carry for job in jobs if not job.carry.rest]


def _save_health(limits: Board) -> None:
    """What was seen of the systems is worth less than the runs that saw it: the next batch sees it again."""
    try:
        limits.save()
    except Exception:
        log.exception("the systems' health could not be saved")


def _announce(lease: Lease, active: Sequence[Carry], jobs: list[Job]) -> list[Job]:
    """Commit what is about to be sent, for what this lease still holds; and bring to rest what has no next call."""
    earlier = {id(job): job.carry.attempts.get(job.step.pk) for job in jobs}
    for job in jobs:
        job.carry.attempts[job.step.pk] = job.attempt
    _in_bulk_or_singly(active, lambda some: _intend(lease, some, jobs, earlier))
    return [job for job in jobs if not job.carry.rest]


def _intend(
    lease: Lease, carries: Sequence[Carry], jobs: Sequence[Job], earlier: Mapping[int, WriteAttempt | None]
) -> None:
    with transaction.atomic():
        held = set(map(id, _held(lease, carries)))
        resting.apply([carry for carry in carries if carry.rest and id(carry) in held])
        ours = [job for job in jobs if id(job.carry) in held]
        recording.intend(ours, tried_before=[job for job in ours if earlier[id(job)]])


def _answered(lease: Lease, carries: Sequence[Carry], results: Sequence[execute.Result]) -> None:
    with transaction.atomic():
        held = _held(lease, carries)
        ours = set(map(id, held))
        recording.answered([result for result in results if id(result.job.carry) in ours])


def _held(lease: Lease, carries: Sequence[Carry]) -> list[Carry]:
    """Those whose runs this lease still holds, locked. The others were given to somebody else: we must not write about them any more."""
    ours = set(claims.still_ours(lease, [carry.run.pk for carry in carries]))
    for carry in carries:
        if carry.run.pk not in ours and not carry.rest:
            log.warning("%s was given to another worker; leaving it", carry.run.public_id)
            carry.rest = Rest(RunStatus.PENDING, "given to another worker")
    return [carry for carry in carries if carry.run.pk in ours]


def _supersede_older(carries: Sequence[Carry]) -> None:
    """Parked runs of older events of the same record have nothing left to say once a newer one speaks.

    Unless the newer one is ignored, and does not take over what an older one wrote: half an order stays somebody's ticket.
    """
    speaking = [carry for carry in carries if carry.supersedes]
    parked = ordering.parked_in_lanes([carry.run for carry in speaking]) if speaking else {}
    for carry in speaking:
        ignored = carry.rest is not None and carry.rest.status == RunStatus.IGNORED
        found = parked.get((carry.run.flow, carry.run.lane), [])
        older = [
            run
            for run, wrote in found
            if ordering.place(run) < ordering.place(carry.run) and run.compensation is None and not (ignored and wrote)
        ]
        if older:
            _supersede(older, by=carry)


def _supersede(older: list[Run], *, by: Carry) -> None:
    ids, now = [run.pk for run in older], clock.now()
    reason = f"{by.run.public_id} carries a newer event of {by.run.canonical_key}"
    by.facts += [lineage.of_run(run, FactKind.SUPERSEDED, reason) for run in older]
    ledger.supersede([run for run in older if marks.holds_staged(run)], reason=reason)
    ended = {"status_reason": reason, "hold_reason": "", "waits_for": "", "ended_at": now, "updated_at": now}
    transitions.move_many(
        Run.objects.filter(pk__in=ids), machine=RUN, expected=PARKED, to=RunStatus.SUPERSEDED, **ended
    )
    runs_ended(ids, why=RunStatus.SUPERSEDED.value, by=resting.ENGINE)


def _complete_without_steps(carries: Sequence[Carry]) -> list[Carry]:
    done = [carry for carry in carries if not carry.rest and not carry.steps and not carry.backward]
    for carry in done:
        carry.rest = Rest(RunStatus.COMPLETED, "Completed: the record is known; no outside step")
    return done


def _in_bulk_or_singly(carries: Sequence[Carry], write: Callable[[Sequence[Carry]], None]) -> None:
    """Write all at once; where that fails, one by one, so that one bad run does not hold up the rest."""
    if not carries:
        return
    back = [carry.remember() for carry in carries]
    try:
        write(carries)
    except Exception:
        log.warning("a batch of %d could not be written at once; writing one by one", len(carries), exc_info=True)
        for carry, restore in zip(carries, back, strict=True):
            restore()
            _one(carry, write, restore)


def _one(carry: Carry, write: Callable[[Sequence[Carry]], None], restore: Callable[[], None]) -> None:
    try:
        write([carry])
    except Exception as error:
        log.exception("%s could not be written", carry.run.public_id)
        restore()
        _park(carry, error, traceback.format_exc())


def _park(carry: Carry, error: Exception, trace: str) -> None:
    """A run whose writing fails for a defect of ours: parked with a ticket; if even that fails, due again soon, and never lost.

    Nothing of what was worked out goes into the ticket but its payload: it may be what cannot be written.
    """
    token, reason = carry.run.lease_owner, jsontext.mended(str(error))[:2000]
    carry.facts.clear()
    carry.keys.clear()
    carry.rest = Rest(RunStatus.ERRORED, reason)
    held = Run.objects.filter(pk=carry.run.pk, lease_owner=token, status=RunStatus.RUNNING)
    try:
        with transaction.atomic():
            run = held.select_for_update(of=("self",)).select_related("event").first()
            if run is None:
                return
            fresh = Carry(
                run,
                carry.flow,
                carry.contract,
                carry.mapping,
                carry.policies,
                broken=carry.broken or MeshlineError(reason),
            )
            fresh.rest = Rest(
                RunStatus.ERRORED, reason, failure=failures.errored(fresh, error=error, trace=jsontext.mended(trace))
            )
            resting.apply([fresh])
    except Exception:
        log.exception("%s could not be parked either", carry.run.public_id)
        later = clock.now() + timedelta(seconds=claims.AFTER_OUR_FAILURE_S)
        transitions.move_many(
            held,
            machine=RUN,
            expected=[RunStatus.RUNNING],
            to=RunStatus.RETRYING,
            due_at=later,
            lease_owner="",
            lease_until=None,
        )


def due_count() -> int:
    """Runs that are due now, claimable or behind another of their lane; counted up to a bound, so that it costs the same at any backlog."""
    due = Run.objects.filter(status__in=DUE, due_at__lte=clock.now())
    return due.order_by()[:DUE_COUNTED_MAX].count()
