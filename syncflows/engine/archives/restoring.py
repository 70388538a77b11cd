"""A month comes back from its files: checked to the last row before anything is touched, then in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from meshline.kernel import transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid
from syncflows.engine.archives import files, months, swapping, tables
from syncflows.engine.archives.enums import MonthStatus
from syncflows.engine.archives.models import ArchivedMonth
from syncflows.engine.machines import MONTH


def restore(label: str, *, by: Actor, reason: str, folder: Path | None = None) -> ArchivedMonth:
    """Put an archived month back into the live tables, from its folder or from where that was moved to.

    Raises Invalid (damaged, altered or another's files), Conflict (being archived). Idempotent: a month that is live stays as it is.
    """
    with months.alone():
        row = ArchivedMonth.objects.filter(label=label).first()
        if row is None or row.status == MonthStatus.LIVE:
            return row or ArchivedMonth(label=months.span(label).label, first_key=0, past_key=0)
        if row.status == MonthStatus.FROZEN:
            raise Conflict(f"{label} is being archived. Wait until it is, or until it is given up.", code="archiving")
        place = folder or Path(row.folder)
        return _put_back(row, place, _proven(row, place), by=by, reason=reason)


def label_of(folder: Path) -> str:
    """The month that an archive says it holds. Raises Invalid."""
    return str(files.read_manifest(folder)[0].get("month", ""))


def _proven(row: ArchivedMonth, folder: Path) -> dict[str, Any]:
    """The manifest of exactly the archive that this database wrote, with files as they were written. Raises Invalid."""
    manifest, digest = files.read_manifest(folder)
    if manifest.get("archive") != row.archive or manifest.get("month") != row.label:
        raise Invalid(
            f"{folder} holds the archive {manifest.get('archive')} of {manifest.get('month')}; {row.label} is in {row.archive}. "
            "It was written by another installation or at another time.",
            code="archive_foreign",
        )
    if digest != row.manifest_sha256:
        raise Invalid(f"{folder / files.MANIFEST} was changed after it was written.", code="archive_damaged")
    with connection.cursor() as cursor:
        for told in manifest["tables"]:
            unknown = set(told["columns"]) - set(tables.columns(cursor, told["table"]))
            if unknown:
                raise Invalid(
                    f"{folder / told['file']} has columns that {told['table']} no longer has: {', '.join(sorted(unknown))}. Restore it with the version "
                    "of Meshline that wrote it.",
                    code="archive_schema",
                )
    files.check(folder, manifest)
    return manifest


def _put_back(row: ArchivedMonth, folder: Path, manifest: dict[str, Any], *, by: Actor, reason: str) -> ArchivedMonth:
    given: dict[str, tuple[dict[str, Any], Iterable[bytes]]] = {
        told["table"]: (told, files.read_table(folder, told)) for told in manifest["tables"]
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL TimeZone = 'UTC'")
        swapping.steps_to_full(cursor, *given[tables.STEPS])
        swapping.to_full(cursor, months.span(row.label), given)
        moved: ArchivedMonth = transitions.move(
            ArchivedMonth, row.pk, machine=MONTH, expected=(MonthStatus.LEFT, MonthStatus.ARCHIVED), to=MonthStatus.LIVE, by=by, reason=reason,
            restored_at=timezone.now(),
        )  # fmt: skip
    return moved
