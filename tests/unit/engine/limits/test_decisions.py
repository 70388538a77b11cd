"""Every arrow of the circuit's diagram, and those that must not be."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ownership.enums import Circuit, SystemState
from syncflows.engine.enums import CircuitEvent
from syncflows.engine.limits import decisions
from syncflows.engine.limits.decisions import Decision, Standing
from syncflows.engine.limits.verdicts import Tally
from syncflows.engine.limits.windows import Window
from syncflows.governance.schemas.systems import Breaker

POLICY = Breaker(failure_rate=0.5, minimum_calls=10, consecutive_outages=3, open_s=4, open_s_cap=20)
CLOSED, OPEN, HALF_OPEN = Standing(Circuit.CLOSED), Standing(Circuit.OPEN, 3), Standing(Circuit.HALF_OPEN, 3)
UNREACHABLE = Tally(failed=1, unreachable=1, message="refused")


def decided(found: Standing, tally: Tally, window: Window | None = None, *, trying: bool = False) -> Decision:
    return decisions.decide(found, tally, window or Window(), POLICY, trying=trying, draw=random.Random(1))


def test_calls_in_a_row_that_reach_nothing_open_it() -> None:
    first = decided(CLOSED, UNREACHABLE)
    assert (first.event, first.standing.state) == (None, SystemState.DEGRADED)
    second = decided(first.standing, UNREACHABLE)
    third = decided(second.standing, UNREACHABLE)
    assert (third.event, third.standing.state) == (CircuitEvent.OPENED, SystemState.DOWN)
    assert "3 calls in a row" in third.reason


def test_one_answer_begins_the_row_anew() -> None:
    assert decided(Standing(Circuit.CLOSED, 2), Tally(well=1, failed=5, unreachable=5)).standing == CLOSED


def test_refused_credential_opens_it_at_once_unless_something_else_was_answered() -> None:
    refused = Tally(failed=1, unreachable=1, refused_credential=True, message="401")
    assert decided(CLOSED, refused).event == CircuitEvent.OPENED
    mixed = Tally(well=1, failed=1, unreachable=1, refused_credential=True, message="403")
    assert decided(CLOSED, mixed).event is None


def test_failure_rate_opens_it() -> None:
    failed = decided(CLOSED, Tally(well=5, failed=5), Window(calls=10, failures=5))
    assert failed.event == CircuitEvent.OPENED
    assert failed.numbers["failure_rate"] == 0.5


def test_window_of_the_past_opens_nothing_while_all_is_well_now() -> None:
    assert decided(CLOSED, Tally(well=5), Window(calls=10, failures=9)).event is None


def test_only_the_try_decides_about_an_open_circuit() -> None:
    for found in (OPEN, HALF_OPEN):
        assert decided(found, Tally(well=9)) == Decision(found)
        assert decided(found, UNREACHABLE) == Decision(found)


def test_try_that_is_answered_closes_it() -> None:
    closed = decided(HALF_OPEN, Tally(well=1), trying=True)
    assert (closed.event, closed.standing) == (CircuitEvent.CLOSED, CLOSED)


def test_try_that_fails_doubles_the_wait_up_to_the_cap() -> None:
    found, waits = HALF_OPEN, []
    for _ in range(5):
        again = decided(found, UNREACHABLE, trying=True)
        assert again.event == CircuitEvent.REOPENED
        waits.append(again.wait_s or 0)
        found = Standing(Circuit.HALF_OPEN, again.standing.consecutive, again.standing.reopenings)
    for wait_s, full in zip(waits, [8, 16, 20, 20, 20], strict=True):
        assert full * 0.9 <= wait_s <= full * 1.1


def test_try_that_is_told_to_wait_waits_as_long() -> None:
    told = decided(HALF_OPEN, Tally(quiet_s=90, message="429"), trying=True)
    assert (told.event, told.standing.circuit, told.wait_s) == (None, Circuit.OPEN, 90)


@given(
    circuit=st.sampled_from(Circuit), consecutive=st.integers(0, 10), reopenings=st.integers(0, 100), well=st.integers(0, 5),
    unreachable=st.integers(0, 5), other=st.integers(0, 5), calls=st.integers(0, 50), trying=st.booleans(), quiet_s=st.floats(0, 100),
)  # fmt: skip
def test_decide_always_leaves_a_way_back(
    circuit: Circuit, consecutive: int, reopenings: int, well: int, unreachable: int, other: int, calls: int, trying: bool, quiet_s: float
) -> None:  # fmt: skip
    """An open circuit has a time for its next try, unless another worker holds it; a closed one has none."""
    found = Standing(circuit, consecutive, reopenings)
    tally = Tally(well=well, failed=unreachable + other, unreachable=unreachable, quiet_s=quiet_s)
    decision = decisions.decide(found, tally, Window(calls=calls, failures=calls), POLICY, trying=trying)
    if decision.standing.circuit == Circuit.CLOSED:
        assert decision.wait_s is None
    elif decision != Decision(found):
        assert decision.standing.circuit == Circuit.OPEN
        assert decision.wait_s is not None
        assert POLICY.open_s * 0.9 <= decision.wait_s <= max(POLICY.open_s_cap * 1.1, quiet_s)
