"""Facts of a record as the lines a person reads, with the steps that are still to come. Pure: reads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from syncflows.engine.enums import SETTLED, TERMINAL, FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run, Step

WAITING = frozenset(
    {FactKind.STAGED, FactKind.HELD, FactKind.RETRY, FactKind.TICKET, FactKind.UNROUTED, FactKind.PAUSED}
)
FAILED = frozenset({FactKind.FAILED, FactKind.ERRORED, FactKind.QUARANTINED})
QUIET = frozenset({FactKind.IGNORED, FactKind.SUPERSEDED, FactKind.CANCELLED})
GOOD_VERDICTS = frozenset({"allow", "", None})
Line = dict[str, Any]


def lines(facts: Iterable[LineageFact], *, run: Run | None = None, steps: Sequence[Step] = ()) -> list[Line]:
    """Items for `partials/timeline.html`: what happened, then what comes next."""
    found = [_line(fact) for fact in facts]
    if run is not None and run.status not in TERMINAL:
        found += _coming(run, steps)
    return found


def state_of(fact: LineageFact) -> str:
    """done, waiting, failed or next (grey), for the dot."""
    if fact.kind in FAILED:
        return "failed"
    if fact.kind in WAITING or (fact.kind == FactKind.POLICY and fact.detail.get("verdict") not in GOOD_VERDICTS):
        return "waiting"
    return "next" if fact.kind in QUIET else "done"


def _line(fact: LineageFact) -> Line:
    kind = FactKind(fact.kind).label
    by = f" · by {fact.actor}" if fact.actor else ""
    return {
        "at": fact.at, "title": fact.summary, "detail": f"{kind}{by}", "state": state_of(fact), "data": fact.detail or None,
        "id": f"fact-{fact.pk}", "kind": fact.kind,
    }  # fmt: skip


def _coming(run: Run, steps: Sequence[Step]) -> list[Line]:
    lines = [_now(run)] if run.status in (RunStatus.RUNNING, RunStatus.RETRYING) else []
    waiting = [step for step in steps if step.status not in SETTLED]
    for number, step in enumerate(waiting):
        detail = (
            f"{step.operation} in {step.system} · reference {step.reference} · idempotency key {step.idempotency_key}"
        )
        label = "then" if number else "next"
        lines.append({"at_label": label, "title": step.name, "detail": detail, "state": "next"})
    return lines


def _now(run: Run) -> Line:
    state = "running" if run.status == RunStatus.RUNNING else "waiting"
    at: Line = {"at": run.due_at} if run.status == RunStatus.RETRYING else {"at_label": "now"}
    tries = f" · {run.tries} {'try' if run.tries == 1 else 'tries'} so far" if run.tries else ""
    return {
        **at,
        "title": run.status_reason or run.get_status_display(),
        "detail": f"{run.get_status_display()}{tries}",
        "state": state,
    }
