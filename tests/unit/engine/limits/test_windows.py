from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine.limits import windows
from syncflows.engine.limits.windows import Window
from syncflows.governance.schemas.systems import Breaker

durations_s = st.lists(st.floats(min_value=0.0001, max_value=600), min_size=1, max_size=300)


@given(took=durations_s)
def test_p95_is_the_step_above_95_of_100_calls(took: list[float]) -> None:
    steps: dict[int, int] = {}
    for one in took:
        steps[windows.step_of(one)] = steps.get(windows.step_of(one), 0) + 1
    p95_ms = Window(took=steps).p95_ms
    assert p95_ms is not None
    not_above = sum(one * 1000 <= p95_ms * 1.0001 or one * 1000 <= 1 for one in took)
    assert not_above >= 0.95 * len(took) - 1e-9
    exact_ms = sorted(took)[max(0, -(-len(took) * 95 // 100) - 1)] * 1000
    assert p95_ms <= max(1.0, exact_ms) * 1.2


def test_p95_of_no_calls_is_not_known() -> None:
    assert Window().p95_ms is None


def test_opens_at_the_rate_and_not_below_the_minimum() -> None:
    policy = Breaker(failure_rate=0.5, minimum_calls=10)
    assert windows.opens(Window(calls=9, failures=9), policy) == ""
    assert windows.opens(Window(calls=10, failures=4), policy) == ""
    assert "5 of the last 10 calls failed" in windows.opens(Window(calls=10, failures=5), policy)
    assert windows.opens(Window(calls=10, failures=10), policy.model_copy(update={"failure_rate": None})) == ""


def test_opens_when_too_many_are_slow() -> None:
    policy = Breaker(slow_call_s=2, slow_rate=0.5, minimum_calls=4)
    assert "longer than 2 s" in windows.opens(Window(calls=4, slow=2), policy)
    assert windows.opens(Window(calls=4, slow=1), policy) == ""
    assert windows.opens(Window(calls=4, slow=4), Breaker(minimum_calls=4)) == ""


@given(calls=st.integers(0, 1000), failures=st.integers(0, 1000), rate=st.floats(0.01, 1), minimum=st.integers(1, 500))
def test_opens_exactly_where_the_policy_says(calls: int, failures: int, rate: float, minimum: int) -> None:
    window = Window(calls=calls, failures=min(failures, calls))
    expected = calls >= minimum and window.failures / calls >= rate
    assert bool(windows.opens(window, Breaker(failure_rate=rate, minimum_calls=minimum))) == expected
