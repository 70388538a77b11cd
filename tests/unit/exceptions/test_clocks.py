from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from exceptions import clocks
from syncflows.enums import Severity

FRIDAY_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MOMENTS = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds


def test_due_at_prefers_the_routes_own_limit() -> None:
    assert clocks.due_at(
        FRIDAY_NOON, severity=Severity.HARD, resolve_within_minutes=30, triaged=True
    ) == FRIDAY_NOON + timedelta(minutes=30)


def test_due_at_follows_severity_without_a_route() -> None:
    assert clocks.due_at(FRIDAY_NOON, severity=Severity.SOFT) == FRIDAY_NOON + timedelta(hours=8)
    assert clocks.due_at(FRIDAY_NOON, severity=Severity.HARD) == FRIDAY_NOON + timedelta(hours=2)


def test_due_at_gives_triage_one_business_day_unless_it_is_hard() -> None:
    assert clocks.due_at(FRIDAY_NOON, severity=Severity.SOFT, triaged=True) == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert clocks.due_at(FRIDAY_NOON, severity=Severity.HARD, triaged=True) == FRIDAY_NOON + timedelta(hours=2)


def test_next_business_day_counts_a_weekend_from_mondays_midnight() -> None:
    saturday, sunday = datetime(2026, 11, 21, 9, tzinfo=UTC), datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert clocks.next_business_day(saturday) == clocks.next_business_day(sunday) == datetime(2026, 11, 24, tzinfo=UTC)


@given(MOMENTS)
def test_next_business_day_is_a_weekday_one_to_three_days_on(moment: datetime) -> None:
    end = clocks.next_business_day(moment)
    assert end.weekday() < clocks.SATURDAY
    assert timedelta(days=1) <= end - moment <= timedelta(days=3)


@given(MOMENTS, MOMENTS)
def test_next_business_day_keeps_the_order_of_moments(one: datetime, other: datetime) -> None:
    early, late = sorted((one, other))
    assert clocks.next_business_day(early) <= clocks.next_business_day(late)


def test_minutes_between_is_never_negative() -> None:
    assert clocks.minutes_between(FRIDAY_NOON, FRIDAY_NOON + timedelta(seconds=119)) == 1
    assert clocks.minutes_between(FRIDAY_NOON, FRIDAY_NOON - timedelta(days=1)) == 0
