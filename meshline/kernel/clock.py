"""The time that all processes agree on: the database's. A process whose own clock is wrong, or jumps, must not end the leases of others or skip their waits.

`now` is this process's clock, set right by `read`, which the engine calls with each claim, each heartbeat and each sweep.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

log = logging.getLogger(__name__)
NOTICED = timedelta(seconds=2)
_wrong_by = [timedelta()]


def now() -> datetime:
    """Aware UTC, as the database would say, to within the time since the last `read` in which this process's clock may have jumped."""
    return timezone.now() + _wrong_by[0]


def read() -> datetime:
    """Ask the database what time it is, and go by it from now on. One query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [moment] = cursor.fetchone()
    set_by(moment)
    return now()


def set_by(told: datetime) -> None:
    """Go by what the database has just said."""
    wrong_by = told - timezone.now()
    if abs(wrong_by - _wrong_by[0]) > NOTICED:
        log.warning("this process's clock is wrong by %.1f s; going by the database's", wrong_by.total_seconds())
    _wrong_by[0] = wrong_by
