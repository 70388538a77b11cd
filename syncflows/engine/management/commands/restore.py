"""`manage.py restore (--month 2026-08 | FOLDER)`: an archived month back into the live tables. See docs/operations/archive.md."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from meshline.kernel.errors import MeshlineError
from syncflows.engine.archives import files, policy, restoring


class Command(BaseCommand):
    help = "Put an archived month back, so that trace, tickets and replay find all of it again. Restoring twice changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "folder", nargs="?", default="", help="the archive's folder or its manifest, where it was moved"
        )
        parser.add_argument("--month", default="", help="2026-08; read from where it was archived to")
        parser.add_argument("--reason", default="asked for on the command line", help="goes to the audit ledger")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["folder"]) == bool(options["month"]):
            raise CommandError("Name either --month 2026-08 or the archive's folder.")
        try:
            row = _restored(options["folder"], options["month"], options["reason"])
        except MeshlineError as error:
            raise CommandError(error.message) from error
        except DatabaseError as error:
            raise CommandError(f"The database refused: {error}. Nothing was changed.", returncode=2) from error
        self.stderr.write(f"{row.label} is live.")
        self.stdout.write(json.dumps({"month": row.label, "status": row.status, "rows": row.rows}))


def _restored(given: str, month: str, reason: str) -> Any:
    if month:
        return restoring.restore(month, by=policy.BY, reason=reason)
    folder = Path(given).absolute()
    folder = folder.parent if folder.name == files.MANIFEST else folder
    return restoring.restore(restoring.label_of(folder), by=policy.BY, reason=reason, folder=folder)
