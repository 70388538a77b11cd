"""The acts themselves, one run at a time. Each checks the person and the run under its lock, and writes lineage, audit and the count of human actions with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F

from meshline.audit import ledger
from meshline.kernel import actors, jobs, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Invalid
from ownership.models import User
from syncflows import hooks
from syncflows.engine import lineage, ordering, releasing, runs
from syncflows.engine.control import checks, leftovers
from syncflows.engine.control.checks import Known
from syncflows.engine.control.enums import NEEDS_REASON, RunAct
from syncflows.engine.enums import DUE, FactKind, RunStatus
from syncflows.engine.machines import RUN
from syncflows.engine.models import Run
from syncflows.enums import HoldReason

REASON_LENGTH = 2000
SKIPPED = "skipped"  # what the hooks are told


def do(act: RunAct, run_id: int, *, by: User, reason: str = "", restart_budget: bool = False) -> Run:
    """Do it, whatever it is; the run as it is then.

    `restart_budget`: for retry now, whether it may fail as often and as long as its policy allows, from now on; always so for a run that had stopped.
    Raises Missing, NotAllowed, Conflict (a sentence why not), Invalid (no reason where one is due). Locks: the run, then what the upper apps hold of it.
    """
    why = " ".join(reason.split())[:REASON_LENGTH]
    if act in NEEDS_REASON and not why:
        raise Invalid(f"{act.label} needs a reason: it becomes part of the record's lineage.", code="reason_missing")
    carry_out = partial(_retry_now, restart_budget=restart_budget) if act == RunAct.RETRY_NOW else ACTS[act]
    with transaction.atomic():
        run = runs.locked(run_id)
        known = Known.of([run])
        checks.check_user_can_act(by, run, act, known)
        done = carry_out(run, known, actors.of(by), why)
        ledger.append(
            act=f"run.{act.value}", by=actors.of(by), object_kind="run", object_id=run.public_id, reason=why,
            detail={"from": run.status, "flow": run.flow, "key": run.canonical_key},
        )  # fmt: skip
        jobs.ring(runs.WORK)
    return done


def _retry_now(run: Run, known: Known, by: Actor, why: str, *, restart_budget: bool) -> Run:
    if run.status in DUE:
        return _due_now(run, by, why, restart_budget=restart_budget)
    newer = ordering.newer_run(run)
    if newer is not None:
        raise runs.going_back(run, newer)
    had_failed = run.status in (RunStatus.FAILED, RunStatus.ERRORED)
    done = runs.release(run.pk, by=by, reason=why or "retried now")
    if had_failed:
        hooks.runs_ended([run.pk], why=runs.REPLAYED, by=by)
    return done


def _due_now(run: Run, by: Actor, why: str, *, restart_budget: bool) -> Run:
    """It keeps its status: only its time changes."""
    fresh = runs.fresh_budget()
    values = fresh if restart_budget else {"due_at": fresh["due_at"]}
    Run.objects.filter(pk=run.pk).update(**values, human_actions=F("human_actions") + 1)
    budget = ", with a fresh budget" if restart_budget else ""
    _say(run, FactKind.RETRY_NOW, f"Retried now by {by}{budget}", by, why, tries_before=run.tries)
    run.refresh_from_db()
    return run


def _pause(run: Run, known: Known, by: Actor, why: str) -> Run:
    _say(run, FactKind.PAUSED, f"Paused by {by}", by, why, was=run.status, due_at=run.due_at.isoformat())
    return _moved(
        run, RunStatus.HELD, (*DUE, RunStatus.HELD), by, why, hold_reason=HoldReason.PAUSED, waits_for="",
        status_reason=f"Paused by {by}: {why}",
    )  # fmt: skip


def _resume(run: Run, known: Known, by: Actor, why: str) -> Run:
    _say(run, FactKind.RESUMED, f"Resumed by {by}", by, why)
    reason = f"Resumed by {by}" + (f": {why}" if why else "")
    done = _moved(
        run,
        RunStatus.PENDING,
        (RunStatus.HELD,),
        by,
        why,
        hold_reason="",
        waits_for="",
        status_reason=reason,
        **runs.fresh_budget(),
    )
    releasing.release_behind(run)
    return done


def _skip(run: Run, known: Known, by: Actor, why: str) -> Run:
    step = checks.skippable_step(run, known)
    runs.leave_out(step)
    said = f"{step.name} is skipped by {by}; what follows goes on without it"
    _say(run, FactKind.SKIPPED, said, by, why, step=step.name, system=step.system, reference=step.reference)
    done = runs.release(run.pk, by=by, reason=f"{step.name} is skipped: {why}")
    hooks.runs_ended([run.pk], why=SKIPPED, by=by)
    releasing.release_behind(run)
    return done


def _give_up(run: Run, known: Known, by: Actor, why: str) -> Run:
    done = runs.cancel(run.pk, by=by, reason=why)
    hooks.runs_ended([run.pk], why=RunStatus.CANCELLED.value, by=by)
    leftovers.tell(done, known.steps.get(run.pk, []), by=by, reason=why)
    releasing.release_behind(run)
    return done


def _moved(run: Run, to: RunStatus, expected: tuple[str, ...], by: Actor, why: str, **values: Any) -> Run:
    moved: Run = transitions.move(
        Run,
        run.pk,
        machine=RUN,
        expected=expected,
        to=to,
        by=by,
        reason=why,
        human_actions=run.human_actions + 1,
        **values,
    )
    return moved


def _say(run: Run, kind: FactKind, said: str, by: Actor, why: str, **detail: Any) -> None:
    lineage.write([lineage.of_run(run, kind, said + (f": {why}" if why else ""), by=by, **detail)])


ACTS: dict[RunAct, Callable[[Run, Known, Actor, str], Run]] = {
    RunAct.PAUSE: _pause,
    RunAct.RESUME: _resume,
    RunAct.SKIP: _skip,
    RunAct.GIVE_UP: _give_up,
}
