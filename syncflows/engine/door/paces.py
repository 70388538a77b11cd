"""Quotas as arithmetic: a pace is an interval and a burst (GCRA, ITU-T I.371), a day is a count. Pure; the clock is handed in, in microseconds.

`quotas.SCRIPT` does the same in Valkey; a test holds them against each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncflows.governance.schemas.intake import Intake

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
SECOND, MINUTE, DAY = "per_second", "per_minute", "per_day"
Demand = Mapping[str, int]


@dataclass(frozen=True)
class Limit:
    """One source's quotas. `paces` by name: microseconds an event takes, and events at once."""

    paces: Mapping[str, tuple[float, int]]
    per_day: int | None = None

    def fits(self, number: int) -> bool:
        """Whether so many could ever be taken at once."""
        return all(number <= burst for _, burst in self.paces.values()) and (
            self.per_day is None or number <= self.per_day
        )

    def shared_by(self, processes: int) -> Limit:
        """One process's part of the rates; its bursts and day stay whole."""
        return Limit(
            {name: (interval * processes, burst) for name, (interval, burst) in self.paces.items()}, self.per_day
        )


@dataclass
class State:
    """Where a source stands: for each pace, when it has caught up; how many were taken on which day since 1970."""

    caught_up: dict[str, float] = field(default_factory=dict)
    day: int = 0
    taken: int = 0


@dataclass(frozen=True)
class Refusal:
    """`quota` is the field of the definition; `wait_us` until the request fits."""

    source: str
    quota: str
    wait_us: float


def limit_of(spec: Intake | None) -> Limit | None:
    """None where nothing is limited."""
    if spec is None or (spec.per_second is None and spec.per_minute is None and spec.per_day is None):
        return None
    paces: dict[str, tuple[float, int]] = {}
    if spec.per_second is not None:
        paces[SECOND] = (SECOND_US / spec.per_second, spec.burst or max(1, math.ceil(spec.per_second)))
    if spec.per_minute is not None:
        paces[MINUTE] = (60 * SECOND_US / spec.per_minute, spec.burst or max(1, math.ceil(spec.per_minute / 6)))
    return Limit(paces, spec.per_day)


def take(states: Mapping[str, State], limits: Mapping[str, Limit], demand: Demand, *, now_us: float) -> Refusal | None:
    """Take the whole demand from the states, or nothing and say what must be waited for longest."""
    refusals = [
        refusal for source, number in demand.items() for refusal in _over(states[source], limits[source], source, number, now_us)
    ]  # fmt: skip
    if refusals:
        return max(refusals, key=lambda refusal: refusal.wait_us)
    for source, number in demand.items():
        _use(states[source], limits[source], number, now_us)
    return None


def _over(state: State, limit: Limit, source: str, number: int, now_us: float) -> Sequence[Refusal]:
    found = []
    for name, (interval, burst) in limit.paces.items():
        over = max(state.caught_up.get(name, 0.0), now_us) + (number - burst) * interval - now_us
        if over > 0:
            found.append(Refusal(source, name, over))
    day = int(now_us // DAY_US)
    taken = state.taken if state.day == day else 0
    if limit.per_day is not None and taken + number > limit.per_day:
        found.append(Refusal(source, DAY, (day + 1) * DAY_US - now_us))
    return found


def _use(state: State, limit: Limit, number: int, now_us: float) -> None:
    for name, (interval, _) in limit.paces.items():
        state.caught_up[name] = max(state.caught_up.get(name, 0.0), now_us) + number * interval
    day = int(now_us // DAY_US)
    state.taken = (state.taken if state.day == day else 0) + number
    state.day = day
