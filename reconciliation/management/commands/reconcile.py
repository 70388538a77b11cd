"""`manage.py reconcile FLOW [--window-days N]`: compare a flow with its target now. JSON on the last line of standard output."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from meshline.kernel import actors
from meshline.kernel.errors import MeshlineError
from reconciliation import runs
from reconciliation.enums import ReconciliationStatus
from reconciliation.models import ReconciliationRun

COUNTS = ("compared", "matched", "missing_in_target", "missing_in_source", "differs", "duplicate", "tickets")


class Command(BaseCommand):
    help = "Compare a flow's delivered records with what its target holds. Exits 0 when the comparison was made, with or without discrepancies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("flow", metavar="FLOW", help="name of a flow that has a reconcile rule")
        parser.add_argument(
            "--window-days", type=int, metavar="N", help="business days back from today; default: as the flow says"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        run = self._run(options["flow"], options["window_days"])
        if run.status != ReconciliationStatus.COMPLETED:
            raise CommandError(f"{run.public_id}: the comparison could not be made, nothing was judged. {run.problem}")
        self._report(run)
        self.stdout.write(json.dumps({name: getattr(run, name) for name in COUNTS}))

    def _run(self, flow: str, window_days: int | None) -> ReconciliationRun:
        try:
            return runs.start(
                flow=flow, window_days=window_days, by=actors.system("command line"), progress=self.stderr.write
            )
        except MeshlineError as error:
            raise CommandError(error.message) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer: {error}. Nothing was judged; run reconcile again when it is back."
            ) from error

    def _report(self, run: ReconciliationRun) -> None:
        self.stderr.write(f"{run.public_id}: {run.window_from} to {run.window_to}")
        for name, value in run.totals.items():
            told = f"ours {value['ours']}, theirs {value['theirs']}" if isinstance(value, dict) else str(value)
            self.stderr.write(f"  {name.replace('_', ' ')}: {told}")
