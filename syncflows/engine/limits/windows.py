"""What the calls of the last while looked like, and whether that opens the circuit. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncflows.governance.schemas.systems import Breaker

BUCKETS = 10
# Durations are counted in steps of a quarter of a doubling, from a millisecond: the 95th percentile is exact to a fifth.
STEPS_PER_DOUBLING = 4


@dataclass(frozen=True)
class Window:
    """Calls that ended in the window. `took` how many by duration's step."""

    calls: int = 0
    failures: int = 0
    slow: int = 0
    took: Mapping[int, int] = field(default_factory=dict)

    @property
    def failure_rate(self) -> float:
        return self.failures / self.calls if self.calls else 0.0

    @property
    def p95_ms(self) -> float | None:
        """Milliseconds that 95 of 100 calls did not exceed; None without calls."""
        wanted, seen = math.ceil(sum(self.took.values()) * 0.95), 0
        for step in sorted(self.took):
            seen += self.took[step]
            if seen >= wanted:
                return upper_ms(step)
        return None

    def numbers(self) -> dict[str, Any]:
        """For people and for the history of the circuit."""
        p95 = self.p95_ms
        return {
            "calls": self.calls,
            "failures": self.failures,
            "slow": self.slow,
            "failure_rate": round(self.failure_rate, 4),
            "p95_ms": None if p95 is None else round(p95, 1),
        }


def step_of(took_s: float) -> int:
    return max(0, math.ceil(STEPS_PER_DOUBLING * math.log2(max(took_s * 1000, 1.0))))


def upper_ms(step: int) -> float:
    """The longest duration that counts in this step."""
    return float(2 ** (step / STEPS_PER_DOUBLING))


def of_counts(found: Mapping[str, Any]) -> Window:
    """From the shared counters' answer."""
    took = found.get("took") or {}
    return Window(
        int(found.get("calls", 0)),
        int(found.get("failures", 0)),
        int(found.get("slow", 0)),
        {int(step): int(count) for step, count in took.items()} if isinstance(took, dict) else {},
    )


def opens(window: Window, policy: Breaker) -> str:
    """Why this window opens the circuit: a sentence; empty where it does not."""
    if window.calls < policy.minimum_calls:
        return ""
    if policy.failure_rate is not None and window.failure_rate >= policy.failure_rate:
        return (
            f"{window.failures} of the last {window.calls} calls failed "
            f"({window.failure_rate:.0%} within {policy.window_s:g} s; {policy.failure_rate:.0%} opens the circuit)"
        )
    if policy.slow_call_s is not None and window.slow / window.calls >= policy.slow_rate:
        return (
            f"{window.slow} of the last {window.calls} calls took longer than {policy.slow_call_s:g} s "
            f"({policy.slow_rate:.0%} within {policy.window_s:g} s opens the circuit)"
        )
    return ""
