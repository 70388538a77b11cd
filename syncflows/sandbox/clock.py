"""Time as the sandbox writes it: ISO 8601, UTC, microseconds, a trailing Z, so that text order is time order."""

import time
from datetime import UTC, date, datetime


def format_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> str:
    """Normalise a time or a date (midnight UTC) for comparison. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return format_time(moment).rjust(27, "0")
    except (ValueError, OverflowError) as error:
        raise ValueError("must be an ISO 8601 time such as 2026-01-31T08:00:00Z") from error


def parse_date(text: str) -> str:
    """Check an ISO date. Raises ValueError."""
    try:
        if len(text) != 10:
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ValueError("must be an ISO 8601 date such as 2026-01-31") from error


class Clock:
    """Gives each change a later time than the one before, even within one microsecond."""

    def __init__(self) -> None:
        self._last_us = 0

    def now(self) -> str:
        self._last_us = max(time.time_ns() // 1000, self._last_us + 1)
        return format_time(datetime.fromtimestamp(self._last_us / 1_000_000, UTC))
