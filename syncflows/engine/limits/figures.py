"""What people see of the limits: the numbers of each system now, who waits for it and what that is worth, and what its circuit did before.

Reads only. Two queries and one round trip to Valkey for any number of systems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, Sum
from django.utils import timezone

from ownership.models import System
from syncflows.engine.enums import RunStatus
from syncflows.engine.limits import meter, policy, waking, windows
from syncflows.engine.limits.policy import Policy
from syncflows.engine.limits.windows import Window
from syncflows.engine.models import Run
from syncflows.governance.catalog import Versioned


@dataclass(frozen=True)
class Tokens:
    """Calls that may go at once under one rate: `left` of `burst`; None while that is not known. `per_second` the rate."""

    per_second: float
    burst: int
    left: int | None


class Worth(NamedTuple):
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Waiting:
    """Runs that wait for a system, and their amounts by currency."""

    runs: int = 0
    amounts: tuple[Worth, ...] = ()


@dataclass(frozen=True)
class Numbers:
    """`shared` False: the counters that all workers share are lost, and only the rows are known."""

    policy: Policy
    shared: bool
    window: Window = field(default_factory=Window)
    slots_used: int | None = None
    workers: int | None = None
    tokens: tuple[Tokens, ...] = ()
    quiet_until: datetime | None = None
    waiting: Waiting = field(default_factory=Waiting)

    @property
    def concurrency(self) -> int:
        return self.policy.concurrency

    @property
    def failure_percent(self) -> int:
        return round(self.window.failure_rate * 100)


def of(definitions: Mapping[str, Versioned], rows: Sequence[System]) -> dict[str, Numbers]:
    """By the names of those rows that have a definition in force."""
    rules = [policy.of(definitions[row.name]) for row in rows if row.name in definitions]
    found, waits = meter.look(rules), waiting([one.system for one in rules])
    by_name = {row.name: row for row in rows}
    answers: Sequence[dict[str, Any] | None] = found if found is not None else [None] * len(rules)
    return {
        one.system: _numbers(one, answer, by_name[one.system], waits.get(one.system, Waiting()))
        for one, answer in zip(rules, answers, strict=True)
    }


def waiting(systems: Sequence[str]) -> dict[str, Waiting]:
    """Who waits for these systems: for the circuit, for a person's word, or for a turn. One query."""
    names = [wait(system) for system in systems for wait in (waking.waits_for, waking.waits_for_turn)]
    rows = Run.objects.filter(status=RunStatus.RETRYING, waits_for__in=names).values_list("waits_for", "currency")
    found: dict[str, Waiting] = {}
    for waits, currency, count, amount in rows.annotate(Count("pk"), Sum("amount")).order_by("waits_for", "currency"):
        system = waking.system_of(waits)
        before = found.get(system, Waiting())
        amounts = _added(before.amounts, currency, amount)
        found[system] = Waiting(before.runs + count, amounts)
    return found


def _added(amounts: tuple[Worth, ...], currency: str, amount: Decimal | None) -> tuple[Worth, ...]:
    if amount is None or not currency:
        return amounts
    sums = dict(amounts)
    sums[currency] = sums.get(currency, Decimal()) + amount
    return tuple(Worth(*pair) for pair in sorted(sums.items()))


def _numbers(rules: Policy, answer: dict[str, Any] | None, row: System, waits: Waiting) -> Numbers:
    now = timezone.now()
    quiet = row.quiet_until if row.quiet_until and row.quiet_until > now else None
    if answer is None:
        return Numbers(rules, False, tokens=_tokens(rules, None), quiet_until=quiet, waiting=waits)
    if answer["quiet_ms"]:
        quiet = max(quiet or now, now + timedelta(milliseconds=answer["quiet_ms"]))
    return Numbers(
        rules, True, windows.of_counts(answer), int(answer["used"]), int(answer["workers"]), _tokens(rules, answer["left"] or []), quiet, waits
    )  # fmt: skip


def _tokens(rules: Policy, left: Sequence[int] | None) -> tuple[Tokens, ...]:
    bursts = [round(pace.tolerance_us / pace.interval_us) + 1 for pace in rules.paces]
    known: Sequence[int | None] = left if left is not None else [None] * len(bursts)
    return tuple(
        Tokens(1_000_000 / pace.interval_us, burst, None if has is None else int(has))
        for pace, burst, has in zip(rules.paces, bursts, known, strict=True)
    )
