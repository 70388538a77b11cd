"""`manage.py drain [--timeout-s N]`: carry all due work to rest in this process. Several workers may be running beside it."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from syncflows.engine import batch, sweeping
from syncflows.engine.enums import DUE, RunStatus
from syncflows.engine.models import Run

IDLE_S = 0.1
SWEEP_EVERY_S = 1.0


class Command(BaseCommand):
    help = "Carry all due work to rest in this process, waiting for retries that come due before the timeout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--timeout-s", type=float, default=600, help="give up waiting after this many seconds (default 600)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["timeout_s"] <= 0:
            raise CommandError("--timeout-s must be above 0.")
        began = timezone.now()
        try:
            self._drain(time.monotonic() + options["timeout_s"])
            counts = _counts(began)
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer: {error}. Nothing is lost; run drain again when it is back.",
                returncode=2,
            ) from error
        self.stdout.write(json.dumps(counts))
        if counts["remaining"] or counts["retrying"]:
            raise CommandError(
                f"{counts['remaining']} due and {counts['retrying']} retrying runs are left after {options['timeout_s']:g} s; run drain again."
            )

    def _drain(self, end: float) -> None:
        swept = 0.0
        while time.monotonic() < end:
            if time.monotonic() - swept > SWEEP_EVERY_S:
                sweeping.sweep()
                swept = time.monotonic()
            if batch.work():
                self.stderr.write(".", ending="")
                self.stderr.flush()
            elif not Run.objects.filter(status__in=[*DUE, RunStatus.RUNNING]).exists():
                if not sweeping.sweep()["released"]:
                    return
            else:
                time.sleep(IDLE_S)


def _counts(began: Any) -> dict[str, int]:
    """What came to rest since `began` (by any worker), and what is left now."""
    since = Run.objects.filter(updated_at__gte=began)
    return {
        "completed": since.filter(status=RunStatus.COMPLETED).count(),
        "ignored": since.filter(status=RunStatus.IGNORED).count(),
        "superseded": since.filter(status=RunStatus.SUPERSEDED).count(),
        "compensated": since.filter(status=RunStatus.COMPENSATED).count(),
        "held": since.filter(status=RunStatus.HELD).count(),
        "ticketed": since.filter(status__in=[RunStatus.FAILED, RunStatus.ERRORED]).count(),
        "retrying": Run.objects.filter(status=RunStatus.RETRYING).count(),
        "remaining": Run.objects.filter(status__in=[RunStatus.PENDING, RunStatus.RUNNING]).count(),
    }
