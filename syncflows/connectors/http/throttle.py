"""Our own rate limit towards one system: a token bucket for each process. Limits shared by all workers are not its business."""

from __future__ import annotations

import threading
import time

from syncflows.connectors.errors import RateLimited

LONGEST_WAIT_S = 30.0


class Throttle:
    """Lets `per_second` calls through, with a burst of one second's worth. None: no limit."""

    def __init__(self, *, system: str, per_second: float | None) -> None:
        self.system = system
        self.per_second = per_second
        self._lock = threading.Lock()
        self._tokens = max(1.0, per_second or 1.0)
        self._at = time.monotonic()

    def wait(self) -> None:
        """Blocks until the call may go. Raises RateLimited, with nothing sent, where that would take too long."""
        delay_s = self.reserve(now_s=time.monotonic())
        if delay_s > 0:
            time.sleep(delay_s)

    def reserve(self, *, now_s: float) -> float:
        """Takes one token, on credit if need be; returns the seconds to wait for it. Raises RateLimited."""
        if self.per_second is None:
            return 0.0
        with self._lock:
            gained = max(0.0, now_s - self._at) * self.per_second
            tokens = min(max(1.0, self.per_second), self._tokens + gained)
            self._tokens, self._at = tokens, max(now_s, self._at)
            delay_s = max(0.0, (1 - tokens) / self.per_second)
            if delay_s > LONGEST_WAIT_S:
                message = (
                    f"{self.system}: our own limit of {self.per_second:g} calls a second is used up; nothing was sent."
                )
                raise RateLimited(message, code="own_rate_limit", retry_after_s=delay_s)
            self._tokens -= 1
            return delay_s
