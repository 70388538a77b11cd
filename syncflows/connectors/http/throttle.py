"""Our own rate limit towards one system: each request waits for its turn, shared by all workers where the engine runs, else counted by this connector."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from syncflows.connectors import pacing
from syncflows.connectors.errors import RateLimited
from syncflows.connectors.pacing import MICRO, Pace

LONGEST_WAIT_S = 30.0


class Throttle:
    """`paces` hold for every request, `by_operation` for those of an operation too. Without any there is no limit."""

    def __init__(
        self, *, system: str, paces: Sequence[Pace], by_operation: Mapping[str, Sequence[Pace]] | None = None
    ) -> None:
        self.system = system
        self.paces = tuple(paces)
        self.by_operation = by_operation or {}
        self._lock = threading.Lock()
        self._tats: dict[str, float] = {}

    def wait(self, purpose: str) -> None:
        """Blocks until the request may go. Raises RateLimited, with nothing sent, where that would take too long. `purpose`: an operation's name, or what else the request is for."""
        wanted = (*self.paces, *self.by_operation.get(purpose, ()))
        if not wanted:
            return
        taker = pacing.shared_taker()
        delay_s = taker(self.system, wanted) if taker else self.reserve(wanted, now_s=time.monotonic())
        if delay_s < 0:
            message = f"{self.system}: our own limit of calls is used up for {-delay_s:.0f} s; nothing was sent."
            raise RateLimited(message, code="own_rate_limit", retry_after_s=-delay_s)
        if delay_s > 0:
            time.sleep(delay_s)
            pacing.waited.seconds = getattr(pacing.waited, "seconds", 0.0) + delay_s

    def reserve(self, wanted: Sequence[Pace], *, now_s: float) -> float:
        """Takes one turn, on credit if need be; returns the seconds to wait for it, negative where that is too long and none was taken."""
        with self._lock:
            return pacing.turn(self._tats, wanted, now_us=now_s * MICRO, horizon_us=LONGEST_WAIT_S * MICRO) / MICRO
