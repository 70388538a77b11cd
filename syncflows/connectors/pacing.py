"""When a call may go under a rate: GCRA (the generic cell rate algorithm), a call every so often on average, some ahead of it at once.

Pure but for `turn_of`: where the engine runs, it answers there with what all workers share; otherwise each connector counts for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

from syncflows.governance.schemas.systems import Operation, RateLimit

MICRO = 1_000_000
# Seconds this thread has waited for its turns, for whoever measures how long the far side took.
waited = threading.local()


@dataclass(frozen=True)
class Pace:
    """One rate: a call every `interval_us` on average, `tolerance_us` ahead of it at most. `key` names it within its system."""

    key: str
    interval_us: float
    tolerance_us: float


Taker = Callable[[str, Sequence[Pace]], float]
_taker: list[Taker] = []


def share_with(taker: Taker) -> None:
    """Register who knows what all workers share: (system, paces) to the seconds until the turn it took; negative: none taken, come back then."""
    _taker[:] = [taker]


def shared_taker() -> Taker | None:
    return _taker[0] if _taker else None


def paces(limit: RateLimit | None, *, prefix: str = "") -> tuple[Pace, ...]:
    """In any time t at most rate * t + burst calls."""
    if limit is None:
        return ()
    rates = [("second", limit.per_second), ("minute", limit.per_minute and limit.per_minute / 60)]
    return tuple(_pace(f"{prefix}{name}", rate, limit.burst) for name, rate in rates if rate)


def narrowed(operations: dict[str, Operation]) -> dict[str, tuple[Pace, ...]]:
    """The paces of operations that have their own, by the operation's name."""
    limited = {name: item.rate_limit for name, item in operations.items() if item.rate_limit}
    return {name: paces(limit, prefix=f"{name}:") for name, limit in limited.items()}


def divided(pace: Pace, *, by: int) -> Pace:
    """This process's part of a rate that `by` processes share without speaking to each other. A burst is one call at least."""
    burst = max(1, int((pace.tolerance_us / pace.interval_us + 1) // by))
    interval_us = pace.interval_us * by
    return Pace(pace.key, interval_us, (burst - 1) * interval_us)


def turn(tats: MutableMapping[str, float], wanted: Sequence[Pace], *, now_us: float, horizon_us: float) -> float:
    """Microseconds until the next turn under all paces, which is taken; negative where that is beyond the horizon, and nothing is taken.

    `tats`: theoretical arrival times by pace, kept by the caller.
    """
    at = max([now_us, *(tats.get(pace.key, 0.0) - pace.tolerance_us for pace in wanted)])
    if at - now_us > horizon_us:
        return now_us - at
    for pace in wanted:
        tats[pace.key] = max(tats.get(pace.key, 0.0), at) + pace.interval_us
    return at - now_us


def _pace(key: str, per_second: float, burst: int | None) -> Pace:
    interval_us = MICRO / per_second
    return Pace(key, interval_us, (max(1, burst or int(per_second)) - 1) * interval_us)
