"""A month leaves the live tables: frozen, written, read back, and only then swapped for stubs. Killed between any two steps, nothing is lost.

live > frozen (its rows cannot be changed) > left (in one transaction the full partitions are gone, stubs and the way to the files are there) > archived (steps are
stubs too). What is found frozen with nobody at work was cut off before anything left: it is thawed. What is found left is carried on.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from meshline.kernel import transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict
from syncflows.engine import partitions
from syncflows.engine.archives import files, months, swapping, tables
from syncflows.engine.archives.enums import AWAY, MonthStatus
from syncflows.engine.archives.models import ArchivedMonth
from syncflows.engine.archives.months import Span
from syncflows.engine.machines import MONTH

log = logging.getLogger(__name__)


def archive(label: str, *, folder: Path, by: Actor, reason: str) -> ArchivedMonth:
    """Write the month into a folder of its own below `folder`, then leave stubs of it in the database.

    Raises Conflict (not over, unfinished runs, live tickets, already being archived), Invalid, Unavailable (disk). Idempotent: an archived month stays as it is.
    """
    with months.alone():
        found = months.span(label)
        row = _row(found)
        if row.status in AWAY:
            return _finish(row, by=by)
        if row.status == MonthStatus.FROZEN:
            row = thaw(row, by=by)
        row = _freeze(row, found, folder=folder, by=by, reason=reason)
        try:
            row = _leave(row, found, by=by, reason=reason)
        except Exception:
            thaw(row, by=by)
            raise
        return _finish(row, by=by)


def recover(*, by: Actor) -> list[str]:
    """End what a process that died left half done; the months. Does nothing while another process is at work."""
    if not ArchivedMonth.objects.filter(status__in=(MonthStatus.FROZEN, MonthStatus.LEFT)).exists():
        return []
    try:
        with months.alone():
            rows = list(ArchivedMonth.objects.filter(status__in=(MonthStatus.FROZEN, MonthStatus.LEFT)))
            return [str(thaw(row, by=by) if row.status == MonthStatus.FROZEN else _finish(row, by=by)) for row in rows]
    except Conflict:
        return []


def thaw(row: ArchivedMonth, *, by: Actor) -> ArchivedMonth:
    """A frozen month is as it was; what was written of it is removed."""
    for folder in (Path(row.folder), _partial(Path(row.folder))):
        files.remove(folder)
    with transaction.atomic(), connection.cursor() as cursor:
        months.thaw(cursor, months.span(row.label))
        return _move(
            row, MonthStatus.FROZEN, MonthStatus.LIVE, by=by, reason="not archived after all", folder="", archive=""
        )


def _row(found: Span) -> ArchivedMonth:
    bounds = {"first_key": found.first, "past_key": found.past}
    return ArchivedMonth.objects.get_or_create(label=found.label, defaults=bounds)[0]


def _freeze(row: ArchivedMonth, found: Span, *, folder: Path, by: Actor, reason: str) -> ArchivedMonth:
    """Nothing of the month changes any more once this has committed, and everything in it has ended. Raises Conflict."""
    ident = secrets.token_hex(8)
    with transaction.atomic(), connection.cursor() as cursor:
        partitions.lock(cursor)
        months.freeze(cursor, found)
        reasons = months.reasons_to_stay(found)
        if reasons:
            raise Conflict(
                f"{found.label} stays live: {' '.join(reasons)}", code="month_in_use", context={"reasons": reasons}
            )
        own = folder / f"{found.label}-{ident}"
        return _move(row, MonthStatus.LIVE, MonthStatus.FROZEN, by=by, reason=reason, archive=ident, folder=str(own))


def _leave(row: ArchivedMonth, found: Span, *, by: Actor, reason: str) -> ArchivedMonth:
    """Write, read back, swap. Raises Unavailable, Invalid, and nothing has left."""
    manifest, digest = _written(row, found)
    rows = {told["table"]: told["rows"] for told in manifest["tables"]}
    size = sum(told["size_bytes"] for told in manifest["tables"])
    swapping.prepare_stubs(found)
    values = {"manifest_sha256": digest, "rows": rows, "size_bytes": size, "archived_at": timezone.now()}

    def leave(cursor: CursorWrapper) -> ArchivedMonth:
        swapping.to_stubs(cursor, found)
        return _move(row, MonthStatus.FROZEN, MonthStatus.LEFT, by=by, reason=reason, **values)

    try:
        return swapping.patiently(leave)
    except BaseException:
        swapping.drop_stubs(found)
        raise


def _written(row: ArchivedMonth, found: Span) -> tuple[dict[str, Any], str]:
    """The files under their name, and proven: manifest and its sha256."""
    folder = Path(row.folder)
    partial = _partial(folder)
    files.make_folder(partial)
    digest = files.written(partial, lambda: _write(partial, row, found))
    manifest, _ = files.read_manifest(partial)
    files.check(partial, manifest)
    files.give_name(partial, folder)
    return manifest, digest


def _write(partial: Path, row: ArchivedMonth, found: Span) -> str:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL TimeZone = 'UTC'")
        told = [_table(cursor, partial, table, found) for table in tables.ALL]
    manifest = {
        "archive": row.archive, "month": row.label, "first": found.parts[tables.RUNS.table].first, "past": found.past,
        "written_at": timezone.now().isoformat(), "tables": told,
    }  # fmt: skip
    return files.write_manifest(partial, manifest)


def _table(cursor: CursorWrapper, partial: Path, table: str, found: Span) -> dict[str, Any]:
    names = tables.columns(cursor, table)
    query = tables.selection(table, names, first=found.first, past=found.past)
    with cursor.copy(f"COPY ({query}) TO STDOUT") as stream:
        told = files.write_table(partial, table, (bytes(block) for block in stream))
    return {**told, "columns": names}


def _finish(row: ArchivedMonth, *, by: Actor) -> ArchivedMonth:
    """Steps become stubs, some thousand at a time; a month that is archived already is left alone."""
    if row.status != MonthStatus.LEFT:
        return row
    for after, upto in _runs_in_thousands(row):
        with transaction.atomic(), connection.cursor() as cursor:
            swapping.steps_to_stubs(cursor, after=after, upto=upto)
    return _move(row, MonthStatus.LEFT, MonthStatus.ARCHIVED, by=by, reason=f"{row.rows} rows in {row.folder}")


def _runs_in_thousands(row: ArchivedMonth) -> Iterator[tuple[int, int]]:
    after = row.first_key - 1
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT max(id) FROM (SELECT id FROM engine_run WHERE id > %s AND id < %s ORDER BY id LIMIT 5000) AS thousands",
                [after, row.past_key],
            )
            [upto] = cursor.fetchone()
        if upto is None:
            return
        yield after, upto
        after = upto


def _partial(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.partial")


def _move(
    row: ArchivedMonth, expected: MonthStatus, to: MonthStatus, *, by: Actor, reason: str, **values: Any
) -> ArchivedMonth:
    moved: ArchivedMonth = transitions.move(
        ArchivedMonth, row.pk, machine=MONTH, expected=expected, to=to, by=by, reason=reason, **values
    )
    return moved
