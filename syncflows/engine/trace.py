"""Find a record by any of its names, and tell its story. Read only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from syncflows.engine.enums import SETTLED
from syncflows.engine.models import Event, EventKey, LineageFact, Run, Step, TraceKey
from syncflows.engine.selectors import named

MATCHES_SHOWN = 200


@dataclass(frozen=True)
class Match:
    """One event that answers to the key, with its runs; `by` says as what (canonical key, order number, customer…)."""

    event: Event
    runs: list[Run]
    by: str


@dataclass(frozen=True)
class Trace:
    """What answers to `key`, newest first; `more` when there are further matches than are listed."""

    key: str
    matches: list[Match]
    more: bool = False


@dataclass(frozen=True)
class Story:
    """One event's way: its runs, the facts of all of them in order, the steps with their attempts, and runs of the same record or transaction."""

    event: Event
    runs: list[Run]
    facts: list[LineageFact]
    steps: list[Step]
    same_record: list[Run] = field(default_factory=list)
    same_transaction: list[Run] = field(default_factory=list)

    @property
    def next_steps(self) -> list[Step]:
        return [step for step in self.steps if step.status not in SETTLED]


def find(key: str, *, limit: int = MATCHES_SHOWN) -> Trace:
    """Everything that answers to an event's or run's public id, canonical key, external id, order number, correlation id, source event id or customer."""
    wanted = key.strip()[:200]
    if not wanted:
        return Trace(key, [])
    found = _by(wanted, limit + 1)
    ids = sorted(found, reverse=True)
    events = Event.objects.in_bulk(ids[:limit])
    runs: dict[int, list[Run]] = {}
    for run in Run.objects.filter(event_id__in=events).order_by("id"):
        runs.setdefault(run.event_id, []).append(run)
    return Trace(
        wanted,
        [Match(events[pk], runs.get(pk, []), found[pk]) for pk in ids[:limit] if pk in events],
        more=len(ids) > limit,
    )


def of_run(run: Run) -> Story:
    """The story of the event that this run carries."""
    return of_event(run.event)


def of_event(event: Event) -> Story:
    """Facts in the order they were written; six queries."""
    runs = list(Run.objects.filter(event=event).select_related("flow_version__definition").order_by("id"))
    ids = [run.pk for run in runs]
    facts = list(LineageFact.objects.filter(event_id=event.pk).order_by("id"))
    steps = list(Step.objects.filter(run__in=ids).prefetch_related("attempts").order_by("run_id", "index"))
    lane = Run.objects.filter(lane=event.lane).exclude(event=event) if event.lane else Run.objects.none()
    transaction = Run.objects.filter(event_id__in=named(event.correlation_id, "correlation_id")).exclude(event=event)
    return Story(event, runs, facts, steps, list(lane.order_by("-id")[:20]), list(transaction.order_by("-id")[:20]))


def as_json(story: Story) -> dict[str, Any]:
    """The story for programs: public ids, ISO times, amounts as numerals."""
    public = {run.pk: run.public_id for run in story.runs}
    return {
        "event": _event(story.event),
        "runs": [_run(run, [step for step in story.steps if step.run_id == run.pk]) for run in story.runs],
        "lineage": [_fact(fact, public) for fact in story.facts],
    }


def _by(wanted: str, limit: int) -> dict[int, str]:
    """Event row numbers with how they answer to the key."""
    found: dict[int, str] = {}
    if wanted.startswith("evt_"):
        _add(found, ((pk, "event") for pk in Event.objects.filter(public_id=wanted).values_list("id", flat=True)))
    if wanted.startswith("run_"):
        _add(found, ((pk, "record") for pk in Run.objects.filter(public_id=wanted).values_list("event_id", flat=True)))
    sent = EventKey.objects.filter(source_event_id=wanted).order_by("-event_id").values_list("event_id", flat=True)
    _add(found, ((pk, "event") for pk in sent[:limit]))
    names = TraceKey.objects.filter(value=wanted).order_by("-event_id").values_list("event_id", "kind")[:limit]
    _add(found, names)
    return found


def _add(found: dict[int, str], more: Iterable[tuple[int, str]]) -> None:
    for pk, how in more:
        found.setdefault(pk, how)


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.public_id, "source": event.source, "source_event_id": event.source_event_id, "type": event.type, "status": event.status,
        "canonical_key": event.canonical_key, "correlation_id": event.correlation_id, "received_at": event.received_at.isoformat(),
        "origin": event.origin, "problem": event.problem,
    }  # fmt: skip


def _run(run: Run, steps: list[Step]) -> dict[str, Any]:
    return {
        "id": run.public_id, "flow": run.flow, "status": run.status, "reason": run.status_reason, "outcome": run.outcome, "customer": run.customer,
        "amount": None if run.amount is None else format(run.amount.normalize() + 0, "f"), "currency": run.currency,
        "tries": run.tries, "next_attempt_at": run.next_attempt_at.isoformat() if run.next_attempt_at else None,
        "steps": [{"name": step.name, "system": step.system, "status": step.status, "reference": step.reference, "external_id": step.external_id,
                   "attempts": [{"number": item.number, "status": item.status, "error": item.error} for item in step.attempts.all()]} for step in steps],
    }  # fmt: skip


def _fact(fact: LineageFact, public: dict[int, str]) -> dict[str, Any]:
    run = public.get(fact.run_id) if fact.run_id else None
    return {
        "at": fact.at.isoformat(),
        "kind": fact.kind,
        "run": run,
        "summary": fact.summary,
        "detail": fact.detail,
        "actor": fact.actor or "engine",
    }
