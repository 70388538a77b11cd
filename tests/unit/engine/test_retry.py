"""Retry as a value: every formula bounded and jittered, Retry-After never undercut, three budgets."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncflows.engine import hours, retry
from syncflows.engine.retry import Budget, Next, Spent
from syncflows.governance.schemas.retries import Hours, Retry, RetryChange, narrowed

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OFFICE = Hours.model_validate({"zone": "Europe/Berlin", "from": "09:00", "to": "17:00"})

policies = st.builds(
    Retry,
    formula=st.sampled_from(["exponential", "linear", "constant", "fibonacci"]),
    base_s=st.floats(0.01, 100),
    factor=st.floats(1, 10),
    cap_s=st.floats(0.1, 1000),
    jitter=st.sampled_from(["full", "equal", "none"]),
    max_attempts=st.integers(1, 1000),
    give_up_after_s=st.none() | st.floats(1, 10_000),
    hours=st.none() | st.just(OFFICE),
)
attempts = st.integers(1, 10_000)


@given(policies, attempts, st.integers())
def test_next_at_is_within_the_ceiling(policy: Retry, attempt: int, seed: int) -> None:
    plain = policy.model_copy(update={"hours": None})
    wait = retry.next_at(plain, attempt=attempt, now=NOW, draw=random.Random(seed)) - NOW
    ceiling_s = retry.ceiling_s(plain, attempt=attempt)
    least_s = {"full": 0, "equal": ceiling_s / 2, "none": ceiling_s}[policy.jitter]
    slack = timedelta(milliseconds=1)
    assert timedelta(0) < wait <= timedelta(seconds=max(retry.LEAST_S, ceiling_s)) + slack
    assert wait >= timedelta(seconds=least_s) - slack


@given(policies, attempts)
def test_ceiling_never_shrinks_and_never_passes_the_cap(policy: Retry, attempt: int) -> None:
    here, later = retry.ceiling_s(policy, attempt=attempt), retry.ceiling_s(policy, attempt=attempt + 1)
    assert 0 < here <= later <= policy.cap_s


@pytest.mark.parametrize(
    ("formula", "waits"),
    [
        ("exponential", [2, 6, 18, 54, 100]),
        ("linear", [2, 4, 6, 8, 10]),
        ("constant", [2, 2, 2, 2, 2]),
        ("fibonacci", [2, 2, 4, 6, 10]),
    ],
)
def test_ceiling_s_grows_as_its_formula_says(formula: str, waits: list[float]) -> None:
    policy = Retry(formula=formula, base_s=2, factor=3, cap_s=100)
    assert [retry.ceiling_s(policy, attempt=number) for number in range(1, 6)] == waits


@given(policies, attempts, st.floats(0, 366 * 86400), st.integers())
def test_retry_after_is_never_undercut(policy: Retry, attempt: int, asked_s: float, seed: int) -> None:
    due_at = retry.next_at(policy, attempt=attempt, now=NOW, retry_after_s=asked_s, draw=random.Random(seed))
    assert due_at >= NOW + timedelta(seconds=asked_s)


def test_decide_says_when_a_retry_after_is_unusually_long() -> None:
    policy = Retry(base_s=1, jitter="none", retry_after_expected_s=600)
    usual = retry.decide(Budget(policy, tries=1), now=NOW, retry_after_s=300)
    long = retry.decide(Budget(policy, tries=1), now=NOW, retry_after_s=7200)
    assert usual == Next(NOW + timedelta(seconds=300), "as the system asked (Retry-After 5 min)")
    assert isinstance(long, Next)
    assert (long.due_at, "unusually long" in long.why) == (NOW + timedelta(hours=2), True)


def test_decide_ends_by_attempts() -> None:
    found = [retry.decide(Budget(Retry(max_attempts=3), tries=number), now=NOW) for number in (1, 2, 3, 4)]
    assert [isinstance(item, Spent) for item in found] == [False, False, True, True]
    assert found[2] == Spent("retries_exhausted", "Gave up after 3 tries")


@given(policies, attempts, st.floats(0, 20_000), st.floats(1, 20_000), st.floats(0, 60), st.integers())
def test_decide_never_plans_a_try_that_its_budget_forbids(
    policy: Retry, tries: int, failing_s: float, until_late_s: float, call_s: float, seed: int
) -> None:
    since, late_at = NOW - timedelta(seconds=failing_s), NOW + timedelta(seconds=until_late_s)
    budget = Budget(policy, tries=tries, since=since, late_at=late_at, call_s=call_s)
    found = retry.decide(budget, now=NOW, draw=random.Random(seed))
    if isinstance(found, Spent):
        return
    assert tries < policy.max_attempts
    assert found.due_at + timedelta(seconds=call_s) < late_at
    assert policy.give_up_after_s is None or found.due_at <= since + timedelta(seconds=policy.give_up_after_s)
    assert policy.hours is None or hours.WeeklyHours(policy.hours).opens_at(found.due_at) == found.due_at


def test_decide_names_the_budget_that_ended() -> None:
    policy = Retry(base_s=10, jitter="none", give_up_after_s=60)
    first = NOW - timedelta(seconds=55)
    spent = retry.decide(Budget(policy, tries=2, since=first), now=NOW)
    assert isinstance(spent, Spent)
    assert spent.code == "retry_time_exhausted"
    late = retry.decide(Budget(policy, tries=1, late_at=NOW + timedelta(seconds=12), call_s=3), now=NOW)
    assert isinstance(late, Spent)
    assert late.code == "sla_would_be_missed"
    assert isinstance(
        retry.decide(Budget(policy, tries=1, late_at=NOW + timedelta(seconds=14), call_s=3), now=NOW), Next
    )


def test_next_at_falls_into_the_hours_and_is_spread_after_opening() -> None:
    saturday = datetime(2026, 11, 21, 12, tzinfo=UTC)
    policy = Retry(base_s=600, cap_s=600, hours=OFFICE)
    monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    drawn = {retry.next_at(policy, attempt=1, now=saturday, draw=random.Random(seed)) for seed in range(20)}
    assert len(drawn) > 10
    assert all(monday <= moment <= monday + timedelta(seconds=60) for moment in drawn)


def test_narrowed_takes_the_nearest_word_and_the_smallest_budget() -> None:
    system = Retry(base_s=2, max_attempts=5)
    operation = RetryChange(base_s=1, max_attempts=50, give_up_after_s=600)
    step = RetryChange(formula="constant", give_up_after_s=900)
    found = narrowed(system, operation, step)
    assert (found.formula, found.base_s, found.max_attempts, found.give_up_after_s) == ("constant", 1, 5, 600)
    assert narrowed(system, None, None) is system


def test_words_tell_the_whole_policy() -> None:
    policy = Retry(base_s=2, cap_s=300, max_attempts=10, give_up_after_s=3600, hours=OFFICE)
    assert retry.words(policy) == (
        "exponential 2 s × 2 each time, at most 5 min, full jitter; 10 tries, for at most 1 h, mon tue wed thu fri 09:00-17:00 Europe/Berlin"
    )


@pytest.mark.parametrize(
    "said",
    [
        {"formula": "quadratic"},
        {"base_s": 0},
        {"max_attempts": 0},
        {"hours": {"zone": "Mars/Base", "from": "09:00", "to": "17:00"}},
        {"hours": {"zone": "UTC", "from": "9", "to": "17:00"}},
        {"hours": {"zone": "UTC", "from": "24:00", "to": "17:00"}},
        {"hours": {"zone": "UTC", "from": "09:00", "to": "24:30"}},
        {"hours": {"zone": "UTC", "from": "09:00", "to": "09:00"}},
        {"hours": {"zone": "UTC", "days": [], "from": "09:00", "to": "17:00"}},
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(said: dict) -> None:
    with pytest.raises(ValidationError):
        Retry.model_validate(said)
