"""A month that is over, for tests: the database's clock cannot be moved, but its partitions can be cut anew and its sequences put back into one."""

from __future__ import annotations

from django.db import connection
from django.db.backends.utils import CursorWrapper

from syncflows.engine import partitions
from syncflows.engine.partitions import Month, Monthly

AUGUST = Month((2026 - 1970) * 12 + 7)


def cut() -> None:
    """Three empty partitions: before August 2026, August, and from then to the end of this month. Call with empty tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() AT TIME ZONE 'UTC'")
        past = Month.of(cursor.fetchone()[0]).next.first_key
        for monthly in partitions.ALL:
            for part in [item for item in partitions.listing() if item.table == monthly.table]:
                cursor.execute(f"ALTER TABLE {monthly.table} DETACH PARTITION {part.name}")
                cursor.execute(f"DROP TABLE {part.name}")
            _add(cursor, monthly, "first", "MINVALUE", AUGUST.first_key)
            _add(cursor, monthly, "2026_08", AUGUST.first_key, AUGUST.next.first_key)
            _add(cursor, monthly, "rest", AUGUST.next.first_key, past)


def open_month(month: Month) -> None:
    """New rows go into that month from now on."""
    with connection.cursor() as cursor:
        for monthly in partitions.ALL:
            if monthly.sequence:
                cursor.execute("SELECT setval(%s, %s)", [monthly.sequence, month.first_key])


def _add(cursor: CursorWrapper, monthly: Monthly, suffix: str, first: int | str, past: int) -> None:
    name = f"{monthly.table}_{suffix}"
    cursor.execute(f"CREATE TABLE {name} (LIKE {monthly.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(f"ALTER TABLE {monthly.table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({past})")
    for index, what in monthly.unique.items():
        cursor.execute(f"CREATE UNIQUE INDEX {name}_{index} ON {name} {what}")
