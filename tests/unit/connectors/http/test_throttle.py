"""The token bucket, by a clock of our own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from syncflows.connectors.errors import RateLimited
from syncflows.connectors.http.throttle import Throttle


def throttle(per_second: float | None) -> Throttle:
    made = Throttle(system="erp", per_second=per_second)
    made._at = 0.0
    return made


def test_reserve_without_a_limit_never_waits() -> None:
    assert [throttle(None).reserve(now_s=0) for _ in range(1000)] == [0.0] * 1000


def test_reserve_lets_a_burst_through_and_then_paces() -> None:
    bucket = throttle(2)
    assert [round(bucket.reserve(now_s=0), 6) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]


def test_reserve_gains_with_time_but_never_beyond_a_second() -> None:
    bucket = throttle(2)
    for _ in range(2):
        bucket.reserve(now_s=0)
    assert [bucket.reserve(now_s=100) for _ in range(3)] == [0, 0, 0.5]


def test_reserve_refuses_a_wait_that_is_too_long_and_takes_nothing() -> None:
    bucket = throttle(0.02)
    bucket.reserve(now_s=0)
    for _ in range(2):
        with pytest.raises(RateLimited) as refused:
            bucket.reserve(now_s=0)
        assert refused.value.retry_after_s == pytest.approx(50)


def test_reserve_from_many_threads_gives_each_its_turn() -> None:
    bucket = throttle(10)
    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(lambda _: bucket.reserve(now_s=0), range(100)))
    assert waits == pytest.approx([0.0] * 10 + [n / 10 for n in range(1, 91)])
