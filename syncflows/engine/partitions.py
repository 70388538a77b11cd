"""The monthly partitions of what grows: which there are, made ahead, and each month opened in time (docs/adr/0005-partitions.md).

A month is a block of ids, [month << 40, (month + 1) << 40), months counted from 1970-01. It is opened by moving the sequences into its block. When that
comes late, rows go on into the partition before it: nothing ever fails for want of a partition. Must not move a sequence back, nor touch a row.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

log = logging.getLogger(__name__)
MONTH_BITS = 40  # 10^12 rows a month; the block of any month to come stays below 2^53, which JSON numbers hold exactly
LOCK = 0x6D657370  # advisory lock: one process makes, opens, archives or restores partitions at a time
LOCK_WAIT_S = 5
VACUUM_OFTEN = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000"


@dataclass(frozen=True)
class Monthly:
    """One partitioned table. key: the column it goes by. unique: indexes that only a partition can have, name to columns and condition.

    storage: room for heap-only updates and early vacuuming, for tables whose rows change.
    """

    table: str
    key: str = "id"
    unique: Mapping[str, str] = field(default_factory=dict)
    storage: str = ""

    @property
    def sequence(self) -> str:
        """Whose next value is the next row's key; empty where rows take the key of another table's."""
        return f"{self.table}_id_seq" if self.key == "id" else ""


EVENTS = Monthly("engine_event", unique={"public_id": "(public_id)"})
RUNS = Monthly(
    "engine_run",
    # event_flow serves the readers of an event's runs; running is the net below `engine.claims`.
    unique={
        "public_id": "(public_id)",
        "event_flow": "(event_id, flow)",
        "running": "(lane) WHERE status = 'running'",
    },
    storage=VACUUM_OFTEN,  # every update changes a status that indexes look at: room for heap-only updates would stay empty
)
ATTEMPTS = Monthly(
    "engine_writeattempt", unique={"step_number": "(step_id, number)"}, storage=f"fillfactor = 80, {VACUUM_OFTEN}"
)
FACTS = Monthly("engine_lineagefact")
KEYS = Monthly("engine_tracekey", key="event_id")
ALL = (EVENTS, RUNS, ATTEMPTS, FACTS, KEYS)

LISTING = """
SELECT parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid), pg_total_relation_size(child.oid), greatest(child.reltuples, 0)::bigint
FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid
WHERE parent.relname = ANY(%s) AND parent.relnamespace = current_schema()::regnamespace
"""
BOUNDS = re.compile(r"FROM \((MINVALUE|'?\d+'?)\) TO \('?(\d+)'?\)")
NEVER_ANALYSED = """
SELECT relname FROM pg_stat_user_tables
WHERE relname = ANY(%s) AND coalesce(last_analyze, '-infinity') < now() - interval '20 hours'
"""


@dataclass(frozen=True, order=True)
class Month:
    """Months since 1970-01."""

    number: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        return cls((moment.year - 1970) * 12 + moment.month - 1)

    @classmethod
    def of_key(cls, key: int) -> Month:
        return cls(key >> MONTH_BITS)

    @property
    def first_key(self) -> int:
        return self.number << MONTH_BITS

    @property
    def next(self) -> Month:
        return Month(self.number + 1)

    def __str__(self) -> str:
        return f"{1970 + self.number // 12}-{self.number % 12 + 1:02}"


@dataclass(frozen=True)
class Partition:
    """One attached partition: rows with `first` <= key < `past`; `first` is None for the one that holds all that came before."""

    table: str
    name: str
    first: int | None
    past: int
    size_bytes: int
    rows: int

    @property
    def month(self) -> Month:
        """Its last month: the only one, but for the first partition."""
        return Month.of_key(self.past - 1)


def listing() -> list[Partition]:
    """Every attached partition, by table and time. `rows` is PostgreSQL's estimate."""
    with connection.cursor() as cursor:
        cursor.execute(LISTING, [[monthly.table for monthly in ALL]])
        found = [_partition(*row) for row in cursor.fetchall()]
    return sorted(found, key=lambda item: (item.table, item.past))


def keep(*, ahead: int | None = None) -> list[str]:
    """Make the partitions of this month and the `ahead` next, and open this month; the names made. By the database's clock.

    Idempotent; safe from several processes at once. A table that is too busy just now is left to the next time.
    """
    made: list[str] = []
    for monthly in ALL:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                made += _keep(cursor, monthly, ahead=settings.MESHLINE_PARTITIONS_AHEAD if ahead is None else ahead)
        except OperationalError as error:
            log.warning("%s is too busy to get its next months' partitions now; tried again later: %s", monthly, error)
    _analyse_parents()
    return made


def name_of(monthly: Monthly, month: Month) -> str:
    return f"{monthly.table}_{str(month).replace('-', '_')}"


def recent_from(monthly: Monthly, *, count: int) -> int:
    """Where the newest `count` rows begin, by their numbers; in a month that has fewer yet, with all of the month before."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT last_value FROM {monthly.sequence}")  # noqa: S608 - a name of our own
        newest = int(cursor.fetchone()[0])
    month = Month.of_key(newest)
    return newest - count if newest - month.first_key >= count else Month(month.number - 1).first_key


def make(cursor: CursorWrapper, monthly: Monthly, month: Month) -> str:
    """A detached table fit to become the partition of this month, without the parent's indexes; its name."""
    name = name_of(monthly, month)
    storage = f" WITH ({monthly.storage})" if monthly.storage else ""
    shape = f"LIKE {monthly.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
    cursor.execute(f"CREATE TABLE {name} ({shape}){storage}")
    return name


def attach(cursor: CursorWrapper, monthly: Monthly, month: Month) -> None:
    """Attaching, unlike CREATE TABLE … PARTITION OF, lets everybody go on reading and writing. The parent's indexes and triggers come with it."""
    name, first, past = name_of(monthly, month), month.first_key, month.next.first_key
    cursor.execute(f"ALTER TABLE {monthly.table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({past})")
    for suffix, what in monthly.unique.items():
        cursor.execute(f"CREATE UNIQUE INDEX {name}_{suffix} ON {name} {what}")


def lock(cursor: CursorWrapper) -> None:
    """Until the transaction ends. No statement waits for a table longer than a few seconds: everybody else would queue behind it."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")


def _keep(cursor: CursorWrapper, monthly: Monthly, *, ahead: int) -> list[str]:
    lock(cursor)
    cursor.execute("SELECT now() AT TIME ZONE 'UTC'")
    now = Month.of(cursor.fetchone()[0])
    attached = [item for item in listing() if item.table == monthly.table]
    made = []
    for month in _months(now, ahead):
        if not any((item.first or 0) <= month.first_key < item.past for item in attached):
            made.append(make(cursor, monthly, month))
            attach(cursor, monthly, month)
    _open(cursor, monthly, now)
    return made


def _months(first: Month, ahead: int) -> Iterator[Month]:
    for number in range(first.number, first.number + ahead + 1):
        yield Month(number)


def _open(cursor: CursorWrapper, monthly: Monthly, month: Month) -> None:
    if monthly.sequence:
        where = f"FROM {monthly.sequence} WHERE last_value < %s"
        cursor.execute(f"SELECT setval('{monthly.sequence}', %s) {where}", [month.first_key, month.first_key])


def _analyse_parents() -> None:
    """Autovacuum never looks at a partitioned table as a whole; plans over several months need its statistics."""
    with connection.cursor() as cursor:
        cursor.execute(NEVER_ANALYSED, [[monthly.table for monthly in ALL]])
        for (table,) in cursor.fetchall():
            cursor.execute(f"ANALYZE {table}")


def _partition(table: str, name: str, bound: str, size_bytes: int, rows: int) -> Partition:
    found = BOUNDS.search(bound)
    assert found is not None, f"{name} has the bounds {bound}, which this project never makes"
    first = None if found[1] == "MINVALUE" else int(found[1].strip("'"))
    return Partition(table, name, first, int(found[2]), size_bytes, rows)
