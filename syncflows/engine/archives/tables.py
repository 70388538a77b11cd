"""What of a month goes into its archive, table by table, and what stays of it as a stub. Statements only; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.backends.utils import CursorWrapper

from syncflows.engine import partitions
from syncflows.engine.partitions import Monthly

# Refuses any change of the month's rows, from the moment it is being archived until it is restored. Readers never notice.
FREEZE = (
    "CREATE TRIGGER frozen BEFORE INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION month_is_frozen()"
)
THAW = "DROP TRIGGER IF EXISTS frozen ON {name}"


@dataclass(frozen=True)
class Kept:
    """A partitioned table of the month. stub: columns that lose their content in the rows that stay, None where no row stays."""

    monthly: Monthly
    stub: Mapping[str, str] | None = field(default=None)

    @property
    def table(self) -> str:
        return self.monthly.table


EVENTS = Kept(partitions.EVENTS, {"payload": "NULL", "raw": "''"})
RUNS = Kept(partitions.RUNS, {"payload": "NULL", "canonical": "NULL", "clearances": "'[]'"})
ATTEMPTS, FACTS = Kept(partitions.ATTEMPTS), Kept(partitions.FACTS)
MONTHLY = (EVENTS, RUNS, ATTEMPTS, FACTS)
# Steps are one table for all months; a month's are those of its runs. Of them the owners of a write stay: they are what keeps it from being done twice.
STEPS = "engine_step"
ALL = (*(kept.table for kept in MONTHLY), STEPS)


def columns(cursor: CursorWrapper, table: str) -> dict[str, str]:
    """Name to type, in their order."""
    cursor.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
        [table],
    )
    return dict(cursor.fetchall())


def key_of(table: str) -> str:
    return "run_id" if table == STEPS else "id"


def selection(table: str, names: Mapping[str, str], *, first: int, past: int) -> str:
    """Rows of the month as COPY wants its query, in the order of their key where an index gives it; facts lie in theirs."""
    key = key_of(table)
    listed = ", ".join(f'"{name}"' for name in names)
    return f"SELECT {listed} FROM {table} WHERE {key} >= {int(first)} AND {key} < {int(past)}" + (
        "" if table == FACTS.table else f" ORDER BY {key}"
    )


def set_defaults(cursor: CursorWrapper, table: str, *, like: str, given: Mapping[str, str]) -> None:
    """Columns that the model got since the archive was written take the model's default."""
    model = next(found for found in apps.get_models() if found._meta.db_table == like)
    for model_field in model._meta.concrete_fields:
        if model_field.column not in given and not model_field.null and not model_field.primary_key:
            value: Any = model_field.get_db_prep_save(model_field.get_default(), connection)
            cursor.execute(f'ALTER TABLE {table} ALTER "{model_field.column}" SET DEFAULT %s', [value])
