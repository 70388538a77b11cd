"""Retry as a value: bounded, jittered, honouring Retry-After."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine import retry
from syncflows.governance.schemas.systems import Retry

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@given(st.integers(1, 10_000), st.floats(0.01, 100), st.floats(1, 10), st.floats(0.1, 1000), st.integers())
def test_next_at_is_within_the_ceiling(attempt: int, base_s: float, factor: float, cap_s: float, seed: int) -> None:
    policy = Retry(base_s=base_s, factor=factor, cap_s=cap_s)
    due_at = retry.next_at(policy, attempt=attempt, now=NOW, draw=random.Random(seed))
    longest = max(retry.LEAST_S, min(cap_s, retry.ceiling_s(policy, attempt=attempt)))
    assert timedelta(0) < due_at - NOW <= timedelta(seconds=longest + 0.001)


def test_retry_after_is_honoured() -> None:
    assert retry.next_at(Retry(base_s=0.1, cap_s=0.1), attempt=1, now=NOW, retry_after_s=30) == NOW + timedelta(
        seconds=30
    )


def test_budget_ends() -> None:
    assert [retry.exhausted(Retry(max_attempts=3), attempt=number) for number in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
