"""The judge: from what was accepted, what the engine says and what the ERP's ledger says, to what was lost, doubled, out of order or unexplained. Pure.

Believes neither side alone: an order is there when the ledger has it, and explained when the lineage tells it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from bench.chaos.enums import Fault
from syncflows.engine.enums import PARKED, TERMINAL, AttemptStatus, FactKind, RunStatus, StepStatus

ENDINGS = {
    RunStatus.COMPLETED: FactKind.COMPLETED,
    RunStatus.IGNORED: FactKind.IGNORED,
    RunStatus.SUPERSEDED: FactKind.SUPERSEDED,
}
TOLD_OF_COMPLETED = (FactKind.RECEIVED, FactKind.CONTRACT, FactKind.CANONICAL, FactKind.PLAN)
WRITTEN_BY = (FactKind.ANSWERED, FactKind.PROBED, FactKind.ADOPTED)
UNDER_WAY = (AttemptStatus.INTENDED, AttemptStatus.SENT)


@dataclass(frozen=True)
class Accepted:
    """An event that was answered "accepted": what must come true. `sequence` orders the events of a key."""

    event_id: str
    key: str
    sequence: str
    total: Decimal


@dataclass(frozen=True)
class Attempt:
    """One try at a write. `sent`: by this run; not one that a worker died before sending, nor one taken over from an earlier run."""

    number: int
    status: str
    sent: bool = True


@dataclass(frozen=True)
class StepSeen:
    name: str
    status: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class RunSeen:
    """A run at the end. `facts`: (id, kind) of its lineage and its event's, in order."""

    event_id: str
    status: str
    facts: tuple[tuple[int, str], ...]
    steps: tuple[StepSeen, ...] = ()
    live_tickets: int = 0


@dataclass(frozen=True)
class Order:
    """One line of the ERP's ledger."""

    external_id: str
    number: str
    total: Decimal


@dataclass
class Verdict:
    """Sentences by fault; none at all is what we promise."""

    found: dict[Fault, list[str]] = field(default_factory=lambda: {fault: [] for fault in Fault})

    @property
    def holds(self) -> bool:
        return not any(self.found.values())

    def counts(self) -> dict[str, int]:
        return {fault.value: len(sentences) for fault, sentences in self.found.items()}


def judge(accepted: Sequence[Accepted], runs: Sequence[RunSeen], orders: Sequence[Order]) -> Verdict:
    """Every broken promise, each in a sentence."""
    verdict = Verdict()
    runs_of: dict[str, list[RunSeen]] = defaultdict(list)
    for run in runs:
        runs_of[run.event_id].append(run)
    orders_of: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        orders_of[order.external_id].append(order)
    events_of: dict[str, list[Accepted]] = defaultdict(list)
    for event in accepted:
        events_of[event.key].append(event)
        verdict.found[Fault.LOST] += _unfinished(event, runs_of[event.event_id])
        verdict.found[Fault.DUPLICATED] += _run_twice(event, runs_of[event.event_id])
        verdict.found[Fault.UNEXPLAINED] += [said for run in runs_of[event.event_id] for said in _gaps(run)]
    for key, events in events_of.items():
        carried = [
            (event, run)
            for event in sorted(events, key=lambda event: event.sequence)
            for run in runs_of[event.event_id][:1]
        ]
        verdict.found[Fault.LOST] += _without_order(key, carried, orders_of[key])
        verdict.found[Fault.OUT_OF_ORDER] += _disorder(key, carried, orders_of[key])
    verdict.found[Fault.DUPLICATED] += list(_ordered_twice(orders_of, set(events_of)))
    return verdict


def _unfinished(event: Accepted, runs: Sequence[RunSeen]) -> list[str]:
    if not runs:
        return [f"{event.event_id} was accepted and has no run"]
    return [
        f"{event.event_id}: its run is {run.status}, neither ended nor parked"
        for run in runs
        if run.status not in (*TERMINAL, *PARKED)
    ]


def _run_twice(event: Accepted, runs: Sequence[RunSeen]) -> list[str]:
    found = [f"{event.event_id} has {len(runs)} runs"] if len(runs) > 1 else []
    for run in runs:
        ends = sum(kind in ENDINGS.values() for _, kind in run.facts)
        if ends > 1:
            found.append(f"{event.event_id}: its lineage ends {ends} times")
    return found


def _without_order(key: str, carried: Sequence[tuple[Accepted, RunSeen]], orders: Sequence[Order]) -> list[str]:
    completed = any(run.status == RunStatus.COMPLETED for _, run in carried)
    return [f"{key} is completed and the ERP has no such order"] if completed and not orders else []


def _ordered_twice(orders_of: dict[str, list[Order]], known: set[str]) -> Iterator[str]:
    for key, orders in orders_of.items():
        if len(orders) > 1:
            yield f"{key} is in the ERP {len(orders)} times: {', '.join(order.number for order in orders)}"
        if orders and key not in known:
            yield f"{key} is in the ERP and nobody sent it"


def _disorder(key: str, carried: Sequence[tuple[Accepted, RunSeen]], orders: Sequence[Order]) -> list[str]:
    """The newest state wins, and what was carried was carried in the source's order."""
    if not carried:
        return []
    newest, last = carried[-1]
    if last.status == RunStatus.SUPERSEDED:
        return [f"{newest.event_id} is the newest of {key} and was superseded"]
    found = []
    if last.status == RunStatus.COMPLETED and len(orders) == 1 and orders[0].total != newest.total:
        found.append(f"{key}: the ERP says {orders[0].total}, the newest event ({newest.sequence}) {newest.total}")
    ends = [_ended_at(run) for _, run in carried if run.status == RunStatus.COMPLETED]
    if ends != sorted(ends):
        found.append(f"{key}: an older event was completed after a newer one")
    return found


def _ended_at(run: RunSeen) -> int:
    return next((number for number, kind in reversed(run.facts) if kind == FactKind.COMPLETED), 0)


def _gaps(run: RunSeen) -> Iterator[str]:
    """What the lineage does not tell."""
    kinds = Counter(kind for _, kind in run.facts)
    wanted: list[FactKind] = [FactKind.RECEIVED]
    if run.status in ENDINGS:
        wanted.append(ENDINGS[RunStatus(run.status)])
    if run.status == RunStatus.COMPLETED:
        wanted += TOLD_OF_COMPLETED
    missing = [kind.value for kind in dict.fromkeys(wanted) if not kinds[kind]]
    if missing:
        yield f"{run.event_id} is {run.status} and its lineage lacks {', '.join(missing)}"
    if run.status in PARKED and run.live_tickets != 1:
        yield f"{run.event_id} is {run.status} with {run.live_tickets} live tickets"
    if run.status == RunStatus.COMPLETED:
        yield from _unwritten(run, kinds)


def _unwritten(run: RunSeen, kinds: Counter[str]) -> Iterator[str]:
    """A completed run's steps: done, their attempts numbered without a gap and each of them decided and told."""
    for step in run.steps:
        if step.status != StepStatus.DONE:
            yield f"{run.event_id} is completed and its step {step.name} is {step.status}"
        if [attempt.number for attempt in step.attempts] != list(range(1, len(step.attempts) + 1)):
            yield f"{run.event_id}: attempts of {step.name} are {[attempt.number for attempt in step.attempts]}"
        undecided = [attempt.number for attempt in step.attempts if attempt.status in UNDER_WAY]
        if undecided:
            yield f"{run.event_id} is completed and attempts {undecided} of {step.name} are not decided"
    if run.steps and not any(kinds[kind] for kind in WRITTEN_BY):
        yield f"{run.event_id} is completed and nothing tells how its steps were written"
    if kinds[FactKind.SENT] < sum(attempt.sent for step in run.steps for attempt in step.attempts):
        yield f"{run.event_id}: more attempts than its lineage says were sent"
