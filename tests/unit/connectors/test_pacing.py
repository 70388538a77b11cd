"""Paces: what the algorithm promises, for any rates, bursts and times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncflows.connectors import pacing
from syncflows.connectors.pacing import MICRO, Pace
from syncflows.governance.schemas.systems import RateLimit

rates = st.floats(min_value=0.1, max_value=500)
bursts = st.integers(min_value=1, max_value=50)
gaps_s = st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=120)


def turns(wanted: tuple[Pace, ...], gaps: list[float], *, horizon_s: float = 60) -> list[float]:
    """When each of these calls goes, in seconds."""
    tats: dict[str, float] = {}
    now_s, found = 1000.0, []
    for gap in gaps:
        now_s += gap
        wait_us = pacing.turn(tats, wanted, now_us=now_s * MICRO, horizon_us=horizon_s * MICRO)
        if wait_us >= 0:
            found.append(now_s + wait_us / MICRO)
    return found


@given(rate=rates, burst=bursts, gaps=gaps_s)
def test_turn_lets_no_more_through_in_any_time_than_rate_and_burst(rate: float, burst: int, gaps: list[float]) -> None:
    found = sorted(turns(pacing.paces(RateLimit(per_second=rate, burst=burst)), gaps))
    for first in range(len(found)):
        for last in range(first, len(found)):
            calls, passed_s = last - first + 1, found[last] - found[first]
            assert calls <= burst + rate * passed_s + 1e-3


@given(rate=rates, burst=bursts, gaps=gaps_s)
def test_turn_never_lets_a_call_wait_that_the_rate_allows(rate: float, burst: int, gaps: list[float]) -> None:
    """Calls further apart than the rate asks go at once."""
    spaced = [gap + 1 / rate for gap in gaps]
    times, now_s = [], 1000.0
    for gap in spaced:
        now_s += gap
        times.append(now_s)
    assert turns(pacing.paces(RateLimit(per_second=rate, burst=burst)), spaced) == pytest.approx(times, abs=1e-3)


@given(rate=rates, gaps=gaps_s)
def test_turn_beyond_the_horizon_takes_nothing(rate: float, gaps: list[float]) -> None:
    wanted = pacing.paces(RateLimit(per_second=rate, burst=1))
    tats: dict[str, float] = {}
    pacing.turn(tats, wanted, now_us=0, horizon_us=0)
    before = dict(tats)
    assert pacing.turn(tats, wanted, now_us=1, horizon_us=0) < 0
    assert tats == before


@given(rate=rates, burst=bursts, workers=st.integers(min_value=1, max_value=20))
def test_divided_parts_are_together_no_more_than_the_whole(rate: float, burst: int, workers: int) -> None:
    [whole] = pacing.paces(RateLimit(per_second=rate, burst=burst))
    part = pacing.divided(whole, by=workers)
    assert part.interval_us == pytest.approx(whole.interval_us * workers)
    parts_burst = part.tolerance_us / part.interval_us + 1
    assert parts_burst * workers <= max(burst, workers) + 1e-6


def test_both_rates_hold() -> None:
    found = turns(pacing.paces(RateLimit(per_second=10, per_minute=60, burst=1)), [0.0] * 5)
    assert [round(at - 1000, 3) for at in found] == [0, 1, 2, 3, 4]


def test_rate_limit_that_says_no_rate_is_refused() -> None:
    with pytest.raises(ValidationError, match="Give per_second or per_minute"):
        RateLimit(burst=5)
