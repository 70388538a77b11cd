"""Write many rows' own values in one statement: COPY, `INSERT … SELECT` and `UPDATE … FROM json_to_recordset(…)`.

Several times cheaper than Django's `bulk_create` and its CASE WHEN per row and field: all rows travel as one JSON text or one COPY stream.
No signals, no history: not for historic models. Everything runs in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection, models
from django.db.backends.postgresql.base import ServerBindingCursor  # type: ignore[attr-defined]
from psycopg import sql


class RowEncoder(json.JSONEncoder):
    """Decimals and times as text: PostgreSQL reads them exactly, as the column's type."""

    def default(self, o: Any) -> Any:
        if isinstance(o, Decimal):
            return format(o, "f")
        if isinstance(o, datetime | date):
            return o.isoformat()
        return super().default(o)


_rows = RowEncoder()


@contextmanager
def bound_cursor() -> Iterator[Any]:
    """A cursor of Django's connection whose parameters the server binds. Django's own writes them into the text of the statement, in Python."""
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        connection._prepare_cursor(ServerBindingCursor(connection.connection)) as cursor,  # type: ignore[attr-defined]
    ):
        yield cursor


def append(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY rows given as tuples in the order of `columns` (database columns); JSON as text. Other columns take the database's default. Gives no row numbers."""
    with bound_cursor() as cursor, cursor.copy(_copy(model, tuple(columns))) as stream:
        for row in rows:
            stream.write_row(row)


def insert(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]], *, on_conflict: str = ""
) -> list[int]:
    """Insert rows given as tuples in the order of `columns` (database columns), JSON as Python has it; their row numbers, in that order.

    `on_conflict`: what follows ON CONFLICT, such as "DO NOTHING"; numbers are then only of rows written. A model with a composite key has none: zeros.
    """
    if not rows:
        return []
    names = [f"v{index}" for index in range(len(columns))]
    text = _rows.encode([dict(zip(names, row, strict=True)) for row in rows])
    with bound_cursor() as cursor:
        cursor.execute(_insertion(model, tuple(columns), on_conflict), [text])
        return [row[0] for row in cursor.fetchall()]


def create(rows: Sequence[models.Model]) -> None:
    """Insert unsaved rows of one model with all their fields, and give them their row numbers. Sets `auto_now` and `auto_now_add` as `save` does."""
    if not rows:
        return
    fields = _insertable(type(rows[0]))
    for field in fields:
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            for row in rows:
                field.pre_save(row, add=True)
    values = [[getattr(row, field.attname) for field in fields] for row in rows]
    ids = insert(type(rows[0]), [field.column for field in fields], values)
    for row, pk in zip(rows, ids, strict=True):
        row.pk, row._state.adding = pk, False


def update(rows: Sequence[models.Model], fields: Collection[str]) -> int:
    """Save `fields` of `rows` (saved before, of one model) as they stand (no `auto_now`); the count of rows found."""
    if not rows:
        return 0
    attributes = [(f"v{index}", field.attname) for index, field in enumerate(_fields(type(rows[0]), fields))]
    text = _rows.encode(
        [{"pk": row.pk, **{name: getattr(row, attribute) for name, attribute in attributes}} for row in rows]
    )
    with bound_cursor() as cursor:
        cursor.execute(_update(type(rows[0]), tuple(fields)), [text, [row.pk for row in rows]])
        return int(cursor.rowcount)


@lru_cache(maxsize=64)
def _insertable(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


@lru_cache(maxsize=256)
def _copy(model: type[models.Model], columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(model._meta.db_table), _names(columns))


@lru_cache(maxsize=256)
def _insertion(model: type[models.Model], columns: tuple[str, ...], on_conflict: str) -> sql.Composed:
    fields = {field.column: field for field in model._meta.concrete_fields}
    given = [f"v{index}" for index in range(len(columns))]
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM json_to_recordset(%s::json) AS given({}){} RETURNING {}").format(
        sql.Identifier(model._meta.db_table),
        _names(columns),
        _names(given),
        _typed(given, [fields[name] for name in columns]),
        sql.SQL(f" ON CONFLICT {on_conflict}" if on_conflict else ""),
        sql.Identifier(model._meta.pk.column) if model._meta.pk.column else sql.SQL("0"),
    )


@lru_cache(maxsize=256)
def _update(model: type[models.Model], names: tuple[str, ...]) -> sql.Composed:
    """The keys go twice: as a list they tell PostgreSQL which partitions to look at."""
    fields = _fields(model, names)
    given = [f"v{index}" for index in range(len(fields))]
    sets = [
        sql.SQL("{} = given.{}").format(sql.Identifier(field.column), sql.Identifier(name))
        for field, name in zip(fields, given, strict=True)
    ]
    return sql.SQL(
        "UPDATE {} AS target SET {} FROM json_to_recordset(%s::json) AS given(pk bigint, {}) "
        "WHERE target.{key} = given.pk AND target.{key} = ANY(%s::bigint[])"
    ).format(
        sql.Identifier(model._meta.db_table),
        sql.SQL(", ").join(sets),
        _typed(given, fields),
        key=sql.Identifier(model._meta.pk.column),
    )


def _fields(model: type[models.Model], names: Iterable[str]) -> list[Any]:
    return [model._meta.get_field(name) for name in names]


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _typed(names: Sequence[str], fields: Sequence[Any]) -> sql.Composed:
    parts = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(_type(field)))
        for name, field in zip(names, fields, strict=True)
    ]
    return sql.SQL(", ").join(parts)


def _type(field: Any) -> str:
    return str(field.rel_db_type(connection) if field.is_relation else field.db_type(connection))
