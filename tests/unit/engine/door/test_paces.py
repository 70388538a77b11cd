"""Quotas as arithmetic."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncflows.engine.door import paces
from syncflows.engine.door.paces import DAY_US, SECOND_US, Limit, State
from syncflows.governance.schemas.intake import Intake

NOON_US = 20_000 * DAY_US + DAY_US / 2


def limit(**spec: float) -> Limit:
    found = paces.limit_of(Intake.model_validate(spec))
    assert found is not None
    return found


def take(state: State, rules: Limit, number: int, at_s: float) -> paces.Refusal | None:
    return paces.take({"crm": state}, {"crm": rules}, {"crm": number}, now_us=NOON_US + at_s * SECOND_US)


def test_take_gives_the_burst_then_the_rate() -> None:
    state, rules = State(), limit(per_second=10, burst=5)
    taken = [take(state, rules, 1, 0) is None for _ in range(8)]
    assert taken == [True] * 5 + [False] * 3
    assert take(state, rules, 1, 0.1) is None
    assert take(state, rules, 1, 0.1) is not None


def test_take_says_when_it_fits_and_then_it_does() -> None:
    state, rules = State(), limit(per_minute=60, burst=10)
    assert take(state, rules, 10, 0) is None
    refused = take(state, rules, 4, 0)
    assert refused is not None
    assert (refused.quota, refused.wait_us) == ("per_minute", 4 * SECOND_US)
    assert take(state, rules, 4, 3.9) is not None
    assert take(state, rules, 4, 4) is None


def test_take_counts_a_day_and_begins_anew_at_midnight() -> None:
    state, rules = State(), limit(per_day=3)
    assert [take(state, rules, 1, 0) is None for _ in range(4)] == [True, True, True, False]
    refused = take(state, rules, 1, 60)
    assert refused is not None
    assert (refused.quota, refused.wait_us) == ("per_day", DAY_US / 2 - 60 * SECOND_US)
    assert take(state, rules, 3, 43_200) is None


def test_take_is_whole_or_nothing_over_several_sources() -> None:
    states, limits = {"crm": State(), "shop": State()}, {"crm": limit(per_day=10), "shop": limit(per_day=1)}
    assert paces.take(states, limits, {"crm": 5, "shop": 2}, now_us=NOON_US) is not None
    assert (states["crm"].taken, states["shop"].taken) == (0, 0)
    assert paces.take(states, limits, {"crm": 5, "shop": 1}, now_us=NOON_US) is None


@given(st.integers(1, 1000), st.integers(1, 50), st.integers(0, 10_000))
def test_take_never_gives_more_than_burst_and_rate(per_second: int, burst: int, seed: int) -> None:
    """However the demands come."""
    chance, state, rules, at_s, taken = random.Random(seed), State(), limit(per_second=per_second, burst=burst), 0.0, 0
    for _ in range(200):
        at_s += chance.random() * 0.05
        number = chance.randint(1, burst)
        taken += number if take(state, rules, number, at_s) is None else 0
    assert taken <= burst + per_second * at_s + 1e-6


def test_processes_share_the_rates_and_keep_their_bursts() -> None:
    part = limit(per_second=10, burst=5, per_day=7).shared_by(2)
    assert (part.paces, part.per_day) == ({"per_second": (2 * SECOND_US / 10, 5)}, 7)


@pytest.mark.parametrize(
    "spec",
    [
        {"per_second": 0}, {"per_second": -1}, {"per_second": float("inf")}, {"per_second": float("nan")}, {"per_second": "10"}, {"per_second": True},
        {"per_second": 10**9}, {"per_minute": 1e300}, {"burst": 0}, {"burst": 1.5}, {"burst": 10**12}, {"per_day": 0}, {"per_day": -5}, {"per_day": "1; DROP"},
        {"backlog": 0}, {"importance": "urgent"}, {"importance": None}, {"per_hour": 5}, [], "fast",
    ],
)  # fmt: skip
def test_hostile_definitions_are_refused(spec: object) -> None:
    with pytest.raises(ValidationError):
        Intake.model_validate(spec)


def test_nothing_declared_is_not_limited() -> None:
    assert paces.limit_of(None) is None
    assert paces.limit_of(Intake(importance="low", backlog=5)) is None
