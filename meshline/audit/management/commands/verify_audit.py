"""`manage.py verify_audit [--export FILE]`: check the hash chain; name the first bad row; exit 1 if there is one."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.forms.models import model_to_dict

from meshline.audit import ledger
from meshline.audit.models import AuditEvent
from meshline.kernel import jsontext


class Command(BaseCommand):
    help = "Verify the audit ledger's hash chain, and export it as JSON Lines."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--export", metavar="FILE", help="also write every row as a JSON line")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["export"]:
            self._export(Path(options["export"]))
        verdict = ledger.verify()
        self.stdout.write(
            json.dumps({"checked": verdict.checked, "bad_number": verdict.bad_number, "problem": verdict.problem})
        )
        if verdict.bad_number is not None:
            raise CommandError(f"The audit trail does not verify: {verdict.problem}.")

    def _export(self, path: Path) -> None:
        try:
            with path.open("w", encoding="utf-8") as stream:
                for row in AuditEvent.objects.order_by("number").iterator(chunk_size=2000):
                    stream.write(jsontext.dumps({**model_to_dict(row), "at": row.at}) + "\n")
        except OSError as error:
            raise CommandError(f"Cannot write {path}: {error.strerror}.") from error
