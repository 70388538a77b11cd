"""Full partitions for stubs, and stubs for full partitions: the tables are made and filled beside, the exchange itself is a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from syncflows.engine import partitions
from syncflows.engine.archives import tables
from syncflows.engine.archives.months import Span, thaw_table
from syncflows.engine.archives.tables import Kept

T = TypeVar("T")
TRIES, PAUSE_S = 20, 1.0
INDEXED = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING INDEXES"


def patiently(exchange: Callable[[CursorWrapper], T]) -> T:
    """Run the exchange in a transaction; where the tables are too busy to be had within seconds, let the others go first and try again."""
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                return exchange(cursor)
        except OperationalError:
            if not left:
                raise
            time.sleep(PAUSE_S)
    raise AssertionError("the last try returns or raises")


def prepare_stubs(found: Span) -> None:
    """Make and fill the tables of stubs, beside the live ones, and give them the bounds that spare attaching a scan. Idempotent."""
    drop_stubs(found)
    for kept in tables.MONTHLY:
        if kept.stub is not None:
            with transaction.atomic(), connection.cursor() as cursor:
                _fill(cursor, kept, found)


def drop_stubs(found: Span) -> None:
    with connection.cursor() as cursor:
        for kept in tables.MONTHLY:
            cursor.execute(f"DROP TABLE IF EXISTS {_beside(kept, found)}")


def to_stubs(cursor: CursorWrapper, found: Span) -> None:
    """The exchange: full partitions are dropped, stubs take their place, frozen. Call in a transaction."""
    partitions.lock(cursor)
    for kept in tables.MONTHLY:
        name = found.parts[kept.table].name
        cursor.execute(f"ALTER TABLE {kept.table} DETACH PARTITION {name}")
        cursor.execute(f"DROP TABLE {name}")
        if kept.stub is not None:
            _attach(cursor, kept, found)
            cursor.execute(tables.FREEZE.format(name=name))


def to_full(cursor: CursorWrapper, found: Span, given: dict[str, tuple[dict[str, Any], Iterable[bytes]]]) -> None:
    """Fill full tables from `given` (table: what the manifest says, blocks of COPY text) and exchange the stubs for them. Call in a transaction."""
    for kept in tables.MONTHLY:
        told, blocks = given[kept.table]
        _make(cursor, kept, found)
        tables.set_defaults(cursor, _beside(kept, found), like=kept.table, given=told["columns"])
        load(cursor, _beside(kept, found), told["columns"], blocks)
    partitions.lock(cursor)
    for kept in tables.MONTHLY:
        if kept.stub is not None:
            name = found.parts[kept.table].name
            cursor.execute(f"ALTER TABLE {kept.table} DETACH PARTITION {name}")
            cursor.execute(f"DROP TABLE {name}")
        _attach(cursor, kept, found)


def load(cursor: CursorWrapper, table: str, names: Iterable[str], blocks: Iterable[bytes]) -> None:
    listed = ", ".join(f'"{name}"' for name in names)
    with cursor.copy(f"COPY {table} ({listed}) FROM STDIN") as stream:
        for block in blocks:
            stream.write(block)


def steps_to_stubs(cursor: CursorWrapper, *, after: int, upto: int) -> None:
    """Of these runs' steps, those that own a write stay without their document; the others go."""
    which = "run_id > %s AND run_id <= %s"
    cursor.execute(f"DELETE FROM {tables.STEPS} WHERE {which} AND NOT owns_write", [after, upto])
    cursor.execute(f"UPDATE {tables.STEPS} SET document = '{{}}' WHERE {which} AND document <> '{{}}'", [after, upto])


def steps_to_full(cursor: CursorWrapper, told: dict[str, Any], blocks: Iterable[bytes]) -> None:
    """Steps as they were, but for who owns a write: that may have passed to another run since."""
    names = list(told["columns"])
    cursor.execute(f"CREATE TEMP TABLE restored_step (LIKE {tables.STEPS} INCLUDING DEFAULTS) ON COMMIT DROP")
    tables.set_defaults(cursor, "restored_step", like=tables.STEPS, given=told["columns"])
    load(cursor, "restored_step", names, blocks)
    cursor.execute(
        f"UPDATE {tables.STEPS} AS step SET document = restored.document FROM restored_step AS restored WHERE step.id = restored.id"
    )
    everything = ", ".join(f'"{name}"' for name in tables.columns(cursor, tables.STEPS))
    cursor.execute(
        "UPDATE restored_step AS restored SET owns_write = false WHERE EXISTS "
        f"(SELECT 1 FROM {tables.STEPS} AS step WHERE step.idempotency_key = restored.idempotency_key AND step.owns_write AND step.id <> restored.id)"
    )
    cursor.execute(
        f"INSERT INTO {tables.STEPS} ({everything}) SELECT {everything} FROM restored_step ON CONFLICT (id) DO NOTHING"
    )


def _fill(cursor: CursorWrapper, kept: Kept, found: Span) -> None:
    assert kept.stub is not None, "asked of tables that leave stubs only"
    _make(cursor, kept, found)
    names = tables.columns(cursor, kept.table)
    listed = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(kept.stub.get(name, f'"{name}"') for name in names)
    cursor.execute(f"INSERT INTO {_beside(kept, found)} ({listed}) SELECT {values} FROM {found.parts[kept.table].name}")


def _make(cursor: CursorWrapper, kept: Kept, found: Span) -> None:
    storage = f" WITH ({kept.monthly.storage})" if kept.monthly.storage else ""
    name = _beside(kept, found)
    cursor.execute(f"DROP TABLE IF EXISTS {name}")
    cursor.execute(f"CREATE TABLE {name} (LIKE {kept.table} {INDEXED}){storage}")
    cursor.execute(f"ALTER TABLE {name} ADD CONSTRAINT in_month CHECK (id < {found.past} AND id >= {_lowest(found)})")


def _attach(cursor: CursorWrapper, kept: Kept, found: Span) -> None:
    first = found.parts[tables.RUNS.table].first
    name, began = _name(kept, found), "MINVALUE" if first is None else first
    cursor.execute(f"ALTER TABLE {_beside(kept, found)} RENAME TO {name}")
    cursor.execute(f"ALTER TABLE {kept.table} ATTACH PARTITION {name} FOR VALUES FROM ({began}) TO ({found.past})")
    cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT in_month")
    thaw_table(cursor, name)
    for suffix, what in kept.monthly.unique.items():
        cursor.execute(f"CREATE UNIQUE INDEX {name}_{suffix} ON {name} {what}")


def _name(kept: Kept, found: Span) -> str:
    """Tables whose rows left altogether have no partition to ask; all of a month are named alike."""
    suffix = found.parts[tables.RUNS.table].name.removeprefix(tables.RUNS.table)
    return f"{kept.table}{suffix}"


def _beside(kept: Kept, found: Span) -> str:
    return f"{kept.table}_beside_{found.past >> partitions.MONTH_BITS}"


def _lowest(found: Span) -> int:
    first = found.parts[tables.RUNS.table].first
    return -(2**62) if first is None else first
