"""Opening hours across zones and clock changes: proven against the wall clock, minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine.hours import DAYS, WeeklyHours
from syncflows.governance.schemas.retries import Hours, minute_of_day

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
clock = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))
weeks = st.builds(
    lambda zone, days, begin, end: {"zone": zone, "days": days, "from": begin, "to": end},
    st.sampled_from(ZONES),
    st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    clock,
    clock | st.just("24:00"),
).filter(lambda said: said["from"] != said["to"])
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001


def is_open(hours: Hours, moment: datetime) -> bool:
    """As the clock on the wall there says, by the book."""
    local = moment.astimezone(hours.tz)
    minute, begin, end = local.hour * 60 + local.minute, minute_of_day(hours.from_), minute_of_day(hours.to)
    today, yesterday = DAYS[local.weekday()], DAYS[(local.weekday() - 1) % 7]
    if end > begin:
        return today in hours.days and begin <= minute < end
    return (today in hours.days and minute >= begin) or (yesterday in hours.days and minute < end)


def is_put_back(hours: Hours, moment: datetime) -> bool:
    """Whether the clock there is put back within two days around: then the wall shows an hour twice, and cannot say which one it is."""
    around = [moment + timedelta(hours=12 * step) for step in range(-4, 5)]
    offsets = [item.astimezone(hours.tz).utcoffset() or timedelta() for item in around]
    return any(later < earlier for earlier, later in zip(offsets, offsets[1:], strict=False))


@given(weeks, moments)
def test_opens_at_is_open_and_never_earlier(said: dict, moment: datetime) -> None:
    calendar = WeeklyHours(Hours.model_validate(said))
    found = calendar.opens_at(moment)
    assert moment <= found <= moment + timedelta(days=9)
    assert calendar.opens_at(found) == found, "idempotent"


@given(weeks, moments)
def test_opens_at_agrees_with_the_clock_on_the_wall(said: dict, moment: datetime) -> None:
    hours = Hours.model_validate(said)
    found = WeeklyHours(hours).opens_at(moment)
    if is_put_back(hours, moment) or is_put_back(hours, found):
        return
    assert is_open(hours, found)
    assert is_open(hours, moment) == (found == moment)
    if found > moment:
        assert not is_open(hours, found - timedelta(minutes=1)) or found - timedelta(minutes=1) < moment


@given(weeks, moments, st.integers(1, 3 * 24 * 60))
def test_opens_at_is_monotonic(said: dict, moment: datetime, minutes: int) -> None:
    calendar = WeeklyHours(Hours.model_validate(said))
    assert calendar.opens_at(moment) <= calendar.opens_at(moment + timedelta(minutes=minutes))


def berlin(**said: object) -> WeeklyHours:
    return WeeklyHours(Hours.model_validate({"zone": "Europe/Berlin", "days": list(DAYS), **said}))


@pytest.mark.parametrize(
    ("begin", "end", "asked", "opens"),
    [
        # 29 March 2026: 02:00 is 03:00. A window that begins or ends within the hour that does not exist does so at the skip.
        ("02:30", "05:00", "2026-03-29T00:00Z", "2026-03-29T01:00Z"),
        ("01:00", "02:30", "2026-03-29T00:59Z", "2026-03-29T00:59Z"),
        ("01:00", "02:30", "2026-03-29T01:00Z", "2026-03-29T23:00Z"),
        ("02:10", "02:50", "2026-03-29T00:30Z", "2026-03-30T00:10Z"),
        ("09:00", "17:00", "2026-03-28T20:00Z", "2026-03-29T07:00Z"),
        ("09:00", "17:00", "2026-03-27T20:00Z", "2026-03-28T08:00Z"),
        # 25 October 2026: 02:00 to 03:00 happens twice. The window is open for both.
        ("02:30", "02:45", "2026-10-24T23:00Z", "2026-10-25T00:30Z"),
        ("02:30", "02:45", "2026-10-25T01:00Z", "2026-10-25T01:00Z"),
        ("02:30", "02:45", "2026-10-25T01:45Z", "2026-10-26T01:30Z"),
        # Overnight.
        ("22:00", "06:00", "2026-10-25T04:59Z", "2026-10-25T04:59Z"),
        ("22:00", "06:00", "2026-10-25T05:00Z", "2026-10-25T21:00Z"),
        ("08:00", "24:00", "2026-11-20T22:59Z", "2026-11-20T22:59Z"),
        ("08:00", "24:00", "2026-11-20T23:00Z", "2026-11-21T07:00Z"),
    ],
)
def test_opens_at_across_clock_changes(begin: str, end: str, asked: str, opens: str) -> None:
    calendar = berlin(**{"from": begin, "to": end})
    assert calendar.opens_at(datetime.fromisoformat(asked)) == datetime.fromisoformat(opens)


def test_a_night_shift_belongs_to_the_day_it_begins_on() -> None:
    calendar = WeeklyHours(Hours.model_validate({"zone": "UTC", "days": ["fri"], "from": "22:00", "to": "06:00"}))
    saturday = datetime(2026, 11, 21, tzinfo=UTC)
    assert calendar.opens_at(saturday + timedelta(hours=5, minutes=59)) == saturday + timedelta(hours=5, minutes=59)
    assert calendar.opens_at(saturday + timedelta(hours=6)) == saturday + timedelta(days=6, hours=22)
