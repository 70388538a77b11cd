"""Write many rows' own values in one statement: `UPDATE … FROM unnest(…)`, several times cheaper than Django's CASE WHEN per row and field."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, models
from psycopg import sql


def update(rows: Sequence[models.Model], fields: Collection[str]) -> int:
    """Save `fields` of `rows` (saved before, of one model) as they stand; the count of rows found. Runs in the caller's transaction.

    No signals, no `auto_now`, no history: not for historic models.
    """
    if not rows:
        return 0
    meta = rows[0]._meta
    columns = [meta.get_field(name) for name in fields]
    values = [[row.pk for row in rows], *([_text(field, row) for row in rows] for field in columns)]
    with connection.cursor() as cursor:
        cursor.execute(_statement(meta, columns), values)
        return int(cursor.rowcount)


def _statement(meta: Any, columns: Sequence[Any]) -> sql.Composed:
    """Values travel as text and are cast to the column's type."""
    names = [sql.Identifier(field.column) for field in columns]
    given = [sql.Identifier(f"v{index}") for index in range(len(columns))]
    casts = [
        sql.SQL("{} = given.{}::{}").format(name, value, sql.SQL(field.db_type(connection)))
        for name, value, field in zip(names, given, columns, strict=True)
    ]
    return sql.SQL("UPDATE {} AS target SET {} FROM unnest(%s::bigint[], {}) AS given(pk, {}) WHERE target.{} = given.pk").format(
        sql.Identifier(meta.db_table), sql.SQL(", ").join(casts), sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(columns)), sql.SQL(", ").join(given),
        sql.Identifier(meta.pk.column),
    )  # fmt: skip


def _text(field: Any, row: models.Model) -> str | None:
    value = getattr(row, field.attname)
    if value is None:
        return None
    if isinstance(field, models.JSONField):
        return json.dumps(value, cls=field.encoder)
    if isinstance(value, datetime):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)
