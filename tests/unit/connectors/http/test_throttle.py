"""The turns of one connector, by a clock of our own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from syncflows.connectors import pacing
from syncflows.connectors.errors import RateLimited
from syncflows.connectors.http.throttle import Throttle
from syncflows.governance.schemas.systems import RateLimit


def throttle(per_second: float) -> Throttle:
    return Throttle(system="erp", paces=pacing.paces(RateLimit(per_second=per_second)))


def test_wait_without_a_limit_never_waits() -> None:
    made = Throttle(system="erp", paces=())
    for _ in range(1000):
        made.wait("create_order")
    assert made._tats == {}


def test_reserve_lets_a_burst_through_and_then_paces() -> None:
    bucket = throttle(2)
    assert [round(bucket.reserve(bucket.paces, now_s=100), 6) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]


def test_reserve_gains_with_time_but_never_beyond_a_second() -> None:
    bucket = throttle(2)
    for _ in range(2):
        bucket.reserve(bucket.paces, now_s=100)
    assert [bucket.reserve(bucket.paces, now_s=200) for _ in range(3)] == [0, 0, 0.5]


def test_reserve_refuses_a_wait_that_is_too_long_and_takes_nothing() -> None:
    bucket = throttle(0.02)
    bucket.reserve(bucket.paces, now_s=100)
    assert [bucket.reserve(bucket.paces, now_s=100) for _ in range(2)] == pytest.approx([-50, -50])


def test_wait_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_taker", [lambda system, paces: -42.0])
    with pytest.raises(RateLimited) as refused:
        throttle(1).wait("create_order")
    assert (refused.value.retry_after_s, refused.value.code) == (42.0, "own_rate_limit")


def test_operation_has_its_own_pace_within_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(pacing, "_taker", [lambda system, paces: asked.append([pace.key for pace in paces]) or 0.0])
    made = Throttle(
        system="erp",
        paces=pacing.paces(RateLimit(per_second=5)),
        by_operation={"create_order": pacing.paces(RateLimit(per_minute=30), prefix="create_order:")},
    )
    made.wait("create_order")
    made.wait("create_order, look-up")
    assert asked == [["second", "create_order:minute"], ["second"]]


def test_reserve_from_many_threads_gives_each_its_turn() -> None:
    bucket = throttle(10)
    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(lambda _: bucket.reserve(bucket.paces, now_s=100), range(100)))
    assert waits == pytest.approx([0.0] * 10 + [n / 10 for n in range(1, 91)])
