"""`manage.py archive`: months that the Retention definition lets go, or one month, into compressed files. See docs/operations/archive.md."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from meshline.kernel.errors import Conflict, MeshlineError
from syncflows.engine.archives import months, moving, policy
from syncflows.engine.archives.months import Span


class Command(BaseCommand):
    help = "Archive the months that are older than the Retention definition keeps them, or the month named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--month", default="", help="2026-08; any month that is over, whatever the policy says")
        parser.add_argument("--to", default="", help="the folder, instead of the definition's")
        parser.add_argument("--reason", default="asked for on the command line", help="goes to the audit ledger")
        parser.add_argument("--dry-run", action="store_true", help="say what would leave, and what keeps the others")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except MeshlineError as error:
            raise CommandError(error.message) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer: {error}. Nothing is lost; archive again when it is back.", returncode=2
            ) from error

    def _handle(self, options: dict[str, Any]) -> None:
        folder, spans = _folder(options["to"]), _spans(options["month"])
        done: dict[str, list[Any]] = {"archived": [], "kept": []}
        for span in spans:
            reasons = (
                months.reasons_to_stay(span) if options["dry_run"] else self._archive(span, folder, options["reason"])
            )
            self.stderr.write(
                f"{span.label}: {' '.join(reasons) or ('would be archived' if options['dry_run'] else 'archived')}"
            )
            if reasons:
                done["kept"].append({"month": span.label, "reasons": reasons})
            else:
                done["archived"].append({"month": span.label, "size_bytes": span.size_bytes})
        self.stdout.write(json.dumps({**done, "dry_run": options["dry_run"]}))
        if options["month"] and done["kept"]:
            raise CommandError(f"{options['month']} stays live.")

    def _archive(self, span: Span, folder: Path, reason: str) -> list[str]:
        try:
            moving.archive(span.label, folder=folder, by=policy.BY, reason=reason)
        except Conflict as error:
            return [str(item) for item in error.context.get("reasons", [error.message])]
        return []


def _spans(label: str) -> list[Span]:
    if label:
        return [months.span(label)]
    found = policy.in_force()
    return policy.due(found) if found else []


def _folder(given: str) -> Path:
    """Raises CommandError where neither the command nor a definition names a folder."""
    found = policy.in_force()
    if not given and not found:
        raise CommandError(
            "No Retention definition is in force and --to names no folder, so there is nowhere to archive to. See docs/definitions.md, Retention."
        )
    return Path(given or (found.archive_to if found else "")).absolute()
