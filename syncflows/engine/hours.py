"""When a system is open. Pure, and safe across clock changes: windows are built in the system's own zone and compared as instants.

A seam: whatever answers `opens_at` can stand in for weekly hours, such as a calendar that knows holidays.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from syncflows.governance.schemas.retries import DAY_MINUTES, Hours, minute_of_day

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOKED_AHEAD_DAYS = 9  # a week, and the days at either end that a window may reach into


class Calendar(Protocol):
    """When something is open."""

    def opens_at(self, moment: datetime) -> datetime:
        """The moment itself where it is open then, else the next at which it is."""


class WeeklyHours:
    """The same hours on the same days of every week."""

    def __init__(self, hours: Hours) -> None:
        self.hours = hours

    def opens_at(self, moment: datetime) -> datetime:
        first = moment.astimezone(self.hours.tz).date() - timedelta(days=1)
        for ahead in range(LOOKED_AHEAD_DAYS):
            found = self.window(first + timedelta(days=ahead))
            if found is not None and moment < found[1]:
                return max(moment, found[0])
        raise ValueError(f"{self.hours!r} never opens")

    def window(self, day: date) -> tuple[datetime, datetime] | None:
        """From when to when it is open in the window that begins on this day, in UTC; None on other days, and where a clock change swallows it."""
        if DAYS[day.weekday()] not in self.hours.days:
            return None
        begin, end = minute_of_day(self.hours.from_), minute_of_day(self.hours.to)
        end += DAY_MINUTES if end <= begin else 0
        opens, closes = _instant(day, begin, self.hours.tz, fold=0), _instant(day, end, self.hours.tz, fold=1)
        return (opens, closes) if opens < closes else None


def _instant(day: date, minute: int, zone: tzinfo, *, fold: int) -> datetime:
    """A wall-clock time as an instant. Where the clock shows it twice, `fold` says which; where it skips it, the moment of the skip."""
    local = datetime.combine(day + timedelta(days=minute // DAY_MINUTES), time.min, tzinfo=zone)
    wall = local.replace(hour=minute % DAY_MINUTES // 60, minute=minute % 60)
    before, after = wall.replace(fold=0).astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    if after < before:  # PEP 495: so it is for a time that does not exist, and only then
        return _skip_between(after, before, zone)
    return after if fold else before


def _skip_between(early: datetime, late: datetime, zone: tzinfo) -> datetime:
    """The first whole minute at which the clock has been put forward."""
    offset = late.astimezone(zone).utcoffset()
    low, high = 0, int((late - early).total_seconds() // 60)
    while low < high:
        middle = (low + high) // 2
        if (early + timedelta(minutes=middle)).astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle + 1
    return early + timedelta(minutes=high)
