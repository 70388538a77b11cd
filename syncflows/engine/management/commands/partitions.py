"""`manage.py partitions`: the months, their sizes, and where they are. Makes those of the months to come where they are missing."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from syncflows.engine import partitions
from syncflows.engine.archives import months
from syncflows.engine.archives.models import ArchivedMonth


class Command(BaseCommand):
    help = "List the monthly partitions with their sizes, and say which months are archived."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keep", action="store_true", help="make the partitions of the months to come now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = partitions.keep() if options["keep"] else []
            away = {row.label: row for row in ArchivedMonth.objects.all()}
            found = [_month(span, away.get(span.label)) for span in months.spans()]
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer: {error}. Try again when it is back.", returncode=2
            ) from error
        for item in found:
            self.stderr.write(
                f"{item['month']}  {item['status']:<9} {item['size_bytes'] / 2**20:10.1f} MiB  {item['rows']}"
            )
        self.stdout.write(json.dumps({"months": found, "made": made}))


def _month(span: months.Span, row: ArchivedMonth | None) -> dict[str, Any]:
    rows = {table: part.rows for table, part in span.parts.items()}
    archive = {"folder": row.folder, "archive_bytes": row.size_bytes} if row and row.folder else {}
    return {
        "month": span.label,
        "status": row.status if row else "live",
        "size_bytes": span.size_bytes,
        "rows": rows,
        **archive,
    }
