"""How long a ticket may stay open. Pure: neither database nor current time."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncflows.enums import Severity

RESOLVE_WITHIN_MINUTES = {Severity.SOFT: 8 * 60, Severity.HARD: 2 * 60}
DUE_SOON = timedelta(hours=1)
SATURDAY = 5


def due_at(
    opened_at: datetime, *, severity: str, resolve_within_minutes: int | None = None, triaged: bool = False
) -> datetime:
    """The end of the resolution clock.

    The route's own limit counts first; then what the severity allows; a soft ticket that nobody owns gets one business day of triage.
    """
    if resolve_within_minutes is not None:
        return opened_at + timedelta(minutes=resolve_within_minutes)
    if triaged and severity != Severity.HARD:
        return next_business_day(opened_at)
    return opened_at + timedelta(minutes=RESOLVE_WITHIN_MINUTES[Severity(severity)])


def next_business_day(moment: datetime) -> datetime:
    """One business day (Monday to Friday, UTC) later: the same time of the next one; a weekend counts from Monday's midnight."""
    start = moment
    if start.weekday() >= SATURDAY:
        monday = start + timedelta(days=7 - start.weekday())
        start = monday.replace(hour=0, minute=0, second=0, microsecond=0)
    end = start + timedelta(days=1)
    return end + timedelta(days=7 - end.weekday()) if end.weekday() >= SATURDAY else end


def minutes_between(start: datetime, end: datetime) -> int:
    """Whole wall-clock minutes, never negative."""
    return max(0, int((end - start).total_seconds() // 60))
