"""What a wave means for a system's circuit. Pure; the state diagram of circuits.

closed > open: our credential is refused, so many calls in a row could not reach it, or the window says so; open > half-open: its time has come, one
item tries; half-open > closed: the try was answered; half-open > open: it failed, and the next wait is twice as long.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from ownership.enums import Circuit, SystemState
from syncflows.engine.enums import CircuitEvent
from syncflows.engine.limits import windows
from syncflows.engine.limits.verdicts import Tally
from syncflows.engine.limits.windows import Window
from syncflows.governance.schemas.systems import Breaker

JITTER = (0.9, 1.1)


@dataclass(frozen=True)
class Standing:
    """How the circuit stands. `consecutive` unreachable calls in a row; `reopenings` tries in a row that failed; `state` only says more while closed."""

    circuit: Circuit
    consecutive: int = 0
    reopenings: int = 0

    @property
    def state(self) -> SystemState:
        if self.circuit != Circuit.CLOSED:
            return SystemState.DOWN
        return SystemState.DEGRADED if self.consecutive else SystemState.UP


@dataclass(frozen=True)
class Decision:
    """How it stands now. `event` None: nothing that is told; `wait_s` until a call may be made, where the circuit is open."""

    standing: Standing
    event: CircuitEvent | None = None
    reason: str = ""
    wait_s: float | None = None
    numbers: dict[str, Any] = field(default_factory=dict)


def decide(
    found: Standing, tally: Tally, window: Window, policy: Breaker, *, trying: bool, draw: random.Random | None = None
) -> Decision:
    """`trying`: the wave held the one try of a half-open circuit; what others still had under way when it opened decides nothing."""
    if found.circuit == Circuit.CLOSED:
        return _closed(found, tally, window, policy, draw)
    return _tried(found, tally, window, policy, draw) if trying else Decision(found)


def open_wait_s(policy: Breaker, *, reopenings: int, draw: random.Random | None = None) -> float:
    """Doubles with each try that failed, up to the cap; a tenth of jitter, so that systems behind one firewall are not tried in step."""
    full = min(policy.open_s_cap, policy.open_s * 2 ** min(reopenings, 40))
    return full * (draw or random).uniform(*JITTER)


def _closed(found: Standing, tally: Tally, window: Window, policy: Breaker, draw: random.Random | None) -> Decision:
    consecutive = 0 if tally.well else found.consecutive + tally.unreachable
    reason = _why_open(consecutive, tally, window, policy)
    if not reason:
        return Decision(Standing(Circuit.CLOSED, consecutive), reason=tally.message if consecutive else "")
    opened = Standing(Circuit.OPEN, consecutive)
    wait_s = max(open_wait_s(policy, reopenings=0, draw=draw), tally.quiet_s)
    return Decision(opened, CircuitEvent.OPENED, reason, wait_s, _numbers(opened, window, wait_s))


def _why_open(consecutive: int, tally: Tally, window: Window, policy: Breaker) -> str:
    if tally.refused_credential and not tally.well:
        return tally.message
    if tally.unreachable and consecutive >= policy.consecutive_outages:
        return f"{consecutive} calls in a row could not reach it: {tally.message}"
    reason = windows.opens(window, policy) if tally.failed or tally.counts.get("slow") else ""
    return f"{reason}: {tally.message}" if reason and tally.message else reason


def _tried(found: Standing, tally: Tally, window: Window, policy: Breaker, draw: random.Random | None) -> Decision:
    if tally.well:
        closed = Standing(Circuit.CLOSED)
        return Decision(
            closed, CircuitEvent.CLOSED, "The item that tried was answered.", None, _numbers(found, window, 0)
        )
    if tally.failed:
        again = Standing(Circuit.OPEN, found.consecutive + tally.unreachable, found.reopenings + 1)
        wait_s = max(open_wait_s(policy, reopenings=again.reopenings, draw=draw), tally.quiet_s)
        reason = f"The item that tried failed: {tally.message}"
        return Decision(again, CircuitEvent.REOPENED, reason, wait_s, _numbers(again, window, wait_s))
    same = Standing(Circuit.OPEN, found.consecutive, found.reopenings)
    return Decision(same, None, tally.message, max(open_wait_s(policy, reopenings=0, draw=draw), tally.quiet_s))


def _numbers(standing: Standing, window: Window, wait_s: float) -> dict[str, Any]:
    return {
        **window.numbers(),
        "outages_in_a_row": standing.consecutive,
        "failed_tries": standing.reopenings,
        "wait_s": round(wait_s, 1),
    }
