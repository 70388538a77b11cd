"""Waiting with a deadline, for tests of what happens by itself."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    arrived: Callable[[], bool], *, timeout_s: float, what: Callable[[], str] | str, every_s: float = 0.02
) -> None:
    """Ask until true; fail with `what` stands in the way when the time is up."""
    end = time.monotonic() + timeout_s
    while not arrived():
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s:g} s: {what() if callable(what) else what}")
        time.sleep(every_s)
