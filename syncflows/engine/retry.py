"""When to try again. Pure.

Full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog): uniform between 0 and min(cap, base * factor ** (attempt - 1)) seconds.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from syncflows.governance.schemas.systems import Retry

LEAST_S = 0.05


def ceiling_s(policy: Retry, *, attempt: int) -> float:
    """The longest wait after this attempt (1 for the first), in seconds."""
    return min(policy.cap_s, policy.base_s * policy.factor ** min(attempt - 1, 60))


def next_at(
    policy: Retry, *, attempt: int, now: datetime, retry_after_s: float | None = None, draw: random.Random | None = None
) -> datetime:
    """When the next try is due: jittered, and never before what the far side asked for (Retry-After)."""
    wait_s = (draw or random).uniform(LEAST_S, ceiling_s(policy, attempt=attempt))
    return now + timedelta(seconds=max(wait_s, retry_after_s or 0))


def exhausted(policy: Retry, *, attempt: int) -> bool:
    return attempt >= policy.max_attempts
