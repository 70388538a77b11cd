"""A past for the benchmark of growth: months full of events that were carried, with all their rows, made out of one that really was.

`python -m bench.contenders.past EVENTS MONTHS` prints {"events", "rows"}. The database is the benchmark's own, and empty before.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

from bench.contenders import carrier, product
from bench.databases import ROOT

SAMPLE = "sample-0"
# What must differ from one copy to the next, as expressions over `g` (the copy's number), `n` (its number in its month), `k` (the row's among its event's) and `moment`.
EVENT_ID, RUN_ID = "{first} + n", "{first} + n"
TIMES = dict.fromkeys(
    ("received_at", "occurred_at", "created_at", "ended_at", "updated_at", "due_at", "at", "intended_at", "sent_at", "answered_at", "done_at", "delivered_at"),
    "moment",
)  # fmt: skip
NAMES = {
    "canonical_key": "'old-' || g",
    "lane": "split_part(t.lane, ':', 1) || ':old-' || g",
    "correlation_id": "md5(g::text)",
}
PARTITIONED: dict[str, dict[str, str]] = {
    "engine_event": {"id": EVENT_ID, "public_id": "'evt_' || lpad(g::text, 16, '0')", "source_event_id": "md5('e' || g)", **NAMES},
    "engine_run": {"id": RUN_ID, "event_id": EVENT_ID, "public_id": "'run_' || lpad(g::text, 16, '0')", **NAMES},
    "engine_writeattempt": {"id": "{first} + n * {each} + k", "step_id": "{steps} + g * {steps_each} + k % {steps_each}"},
    "engine_lineagefact": {"id": "{first} + n * {each} + k", "event_id": EVENT_ID, "run_id": "CASE WHEN t.run_id IS NULL THEN NULL ELSE {first} + n END"},
    "engine_tracekey": {"value": "left(t.value, 150) || '-' || g", "event_id": EVENT_ID, "run_id": "CASE WHEN t.run_id IS NULL THEN NULL ELSE {first} + n END"},
}  # fmt: skip
SINGLE: dict[str, dict[str, str]] = {
    "engine_step": {"id": "{steps} + g * {each} + k", "run_id": RUN_ID, "idempotency_key": "md5('s' || g || '-' || k) || md5('t' || g)", "reference": "'old-' || g"},
    "engine_eventkey": {"source_event_id": "md5('e' || g)", "event_id": EVENT_ID},
    "engine_canonicalrecord": {"id": "{records} + g", "key": "'old-' || g", "event_id": EVENT_ID, "run_id": RUN_ID},
}  # fmt: skip
LEAST_FREE_BYTES = 8 * 10**9  # before another month is begun
STEPS_FROM = 1 << 40  # numbers of the copies' steps and records: far from those of new ones


def main() -> None:
    product.set_up()
    events, months = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps({"events": events, "rows": make(events, months)}), flush=True)


def make(events: int, months: int) -> dict[str, int]:
    """Rows by table."""
    from django.db import connection

    from syncflows.engine import partitions

    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        first = _cut(cursor, months)
        partitions.keep()
        carrier.carry(SAMPLE.rpartition("-")[0], 0, 1)
        each = _take_samples(cursor)
        for place in range(months):
            _check_disk()
            began = time.monotonic()
            count = events // months + (place < events % months)
            _month(cursor, partitions.Month(first.number + place), place * (events // months + 1), count, each)
            print(f"  {partitions.Month(first.number + place)}: {count:,} events in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
    return {table: number * events for table, number in each.items()}


def _cut(cursor: Any, months: int) -> Any:
    """The first partition ends `months` months ago; the first of these months."""
    from syncflows.engine import partitions
    from syncflows.engine.partitions import Month

    cursor.execute("SELECT now() AT TIME ZONE 'UTC'")
    first = Month(Month.of(cursor.fetchone()[0]).number - months)
    for monthly in partitions.ALL:
        for part in [item for item in partitions.listing() if item.table == monthly.table]:
            cursor.execute(f"ALTER TABLE {monthly.table} DETACH PARTITION {part.name}")
            if part.first is None:
                cursor.execute(
                    f"ALTER TABLE {monthly.table} ATTACH PARTITION {part.name} FOR VALUES FROM (MINVALUE) TO ({first.first_key})"
                )
            else:
                cursor.execute(f"DROP TABLE {part.name}")
    return first


def _check_disk() -> None:
    """Others write to this disk too. Raises RuntimeError."""
    free = shutil.disk_usage(ROOT).free
    if free < LEAST_FREE_BYTES:
        raise RuntimeError(f"Only {free / 1e9:.1f} GB are free on the disk; the past is left unfinished.")


def _take_samples(cursor: Any) -> dict[str, int]:
    """The rows of the one event that was carried, as templates; how many there are of each table."""
    each = {}
    for table in (*PARTITIONED, *SINGLE):
        cursor.execute(f"CREATE TEMP TABLE sample_{table} AS SELECT *, row_number() OVER () - 1 AS k FROM {table}")
        cursor.execute(f"SELECT count(*) FROM sample_{table}")
        each[table] = cursor.fetchone()[0]
    return each


def _month(cursor: Any, month: Any, start: int, count: int, each: Mapping[str, int]) -> None:
    """Partitions are filled before they are attached: an index is built faster than it grows."""
    from syncflows.engine import partitions

    for monthly in partitions.ALL:
        name = partitions.make(cursor, monthly, month)
        _copy(cursor, monthly.table, name, PARTITIONED[monthly.table], month, start, count, each)
        partitions.attach(cursor, monthly, month)
    for table, changed in SINGLE.items():
        _copy(cursor, table, table, changed, month, start, count, each)


def _copy(
    cursor: Any, table: str, into: str, changed: Mapping[str, str], month: Any, start: int, count: int, each: Mapping[str, int]
) -> None:  # fmt: skip
    cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", [table])  # fmt: skip
    names = [name for (name,) in cursor.fetchall()]
    given = {
        "first": month.first_key + 1,
        "each": each[table],
        "steps": STEPS_FROM,
        "records": STEPS_FROM,
        "steps_each": each["engine_step"] or 1,
    }
    changes = {**{name: what for name, what in TIMES.items() if name in names}, **changed}
    values = ", ".join(changes[name].format(**given) if name in changes else f't."{name}"' for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    moments = f"SELECT n, {start} + n AS g, make_timestamptz({1970 + month.number // 12}, {month.number % 12 + 1}, 1, 0, 0, 0, 'UTC') + n * interval '28 days' / {max(count, 1)} AS moment FROM generate_series(0, {count - 1}) AS n"  # fmt: skip
    cursor.execute(
        f"INSERT INTO {into} ({listed}) SELECT {values} FROM ({moments}) AS copies CROSS JOIN sample_{table} AS t"
    )


if __name__ == "__main__":
    main()
