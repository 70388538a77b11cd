"""`manage.py replay [RUN…] [--flow F] [--since T --until T] [--status failed] … --by USER --reason TEXT [--preview]`.

Previews and runs in this process; workers may help. Cut off, `--job` goes on where it was. The last line is one JSON object.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from meshline.kernel import jsontext
from meshline.kernel.errors import MeshlineError
from ownership.models import User
from syncflows.engine import batch, sweeping
from syncflows.engine.models import ReplayItem, ReplayJob
from syncflows.engine.replays import carrying, jobs, selectors
from syncflows.engine.replays.enums import OVER, Correction, ReplayOutcome, ReplayStatus, Versions
from syncflows.engine.replays.jobs import How

WAIT_S = 0.1
SHOWN = 20
FILTERS = {
    "flow": "flow", "status": "status", "failure_class": "failure_class", "failure_reason": "failure_reason", "source": "source", "key": "key",
    "amount_min": "amount_min", "amount_max": "amount_max",
}  # fmt: skip


class Command(BaseCommand):
    help = "Preview a replay, and run it unless --preview: by ids, or by filter and time range. Prints a JSON object last; exits 1 where a record failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="ID", help="run_… or evt_…; instead of filters")
        parser.add_argument(
            "--job", metavar="RPL", help="go on with a replay that was cut off, or start one that was previewed"
        )
        for name in FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}")
        parser.add_argument("--since", metavar="TIME", help="ISO 8601: records from then on")
        parser.add_argument("--until", metavar="TIME", help="ISO 8601: records before then")
        parser.add_argument(
            "--time",
            choices=("received", "occurred"),
            default="received",
            help="what --since and --until read (default received)",
        )
        parser.add_argument("--versions", choices=Versions.values, default=Versions.CURRENT.value)
        parser.add_argument("--from-step", default="", metavar="STEP")
        parser.add_argument("--merge", metavar="FILE", help="correct each payload by this JSON Merge Patch")
        parser.add_argument("--preview", action="store_true", help="only look; write nothing")
        parser.add_argument("--no-compare", action="store_true", help="do not ask the target what it holds")
        parser.add_argument(
            "--per-second",
            type=int,
            default=jobs.DEFAULT_PACE,
            metavar="N",
            help="records started a second (default 10)",
        )
        parser.add_argument(
            "--timeout-s",
            type=float,
            default=3600,
            help="stop waiting after so long; the replay goes on in workers (default 3600)",
        )
        parser.add_argument("--by", metavar="USER", help="username of the person who asks")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; becomes part of each record")

    def handle(self, *args: Any, **options: Any) -> None:
        by, end = _person(options["by"]), time.monotonic() + options["timeout_s"]
        try:
            job = (
                jobs.get(options["job"])
                if options["job"]
                else jobs.ask(_chosen(options), _how(options), by=by, reason=options["reason"])
            )
            job = self._until(job, end, lambda found: found.status not in (ReplayStatus.DRAFT, ReplayStatus.PREVIEWING))
            if not options["preview"]:
                job = jobs.start(job, by=by) if job.status == ReplayStatus.PREVIEWED else job
                job = self._until(job, end, _is_over)
        except MeshlineError as error:
            raise CommandError(error.message) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer: {error}. Nothing is lost; workers go on.", returncode=2
            ) from error
        self._report(job, preview=options["preview"])

    def _until(self, job: ReplayJob, end: float, reached: Any) -> ReplayJob:
        """Carry it on here, with the records' runs, until then or until the time is up."""
        while not reached(job) and time.monotonic() < end:
            carrying.carry(job.pk)
            sweeping.sweep()
            if job.status == ReplayStatus.PREVIEWING or not batch.work():
                time.sleep(WAIT_S)
            job.refresh_from_db()
        return job

    def _report(self, job: ReplayJob, *, preview: bool) -> None:
        found = selectors.counts(job)
        left = selectors.items(job).exclude(outcome__in=(ReplayOutcome.DONE, ReplayOutcome.WAITING))[:SHOWN]
        for item in () if preview else left:
            self.stderr.write(
                f"{item.run.public_id} {item.run.canonical_key}: {item.get_outcome_display()}. {item.outcome_reason}"
            )
        told = {"replay": job.public_id, "status": job.status, "total": job.total, **found}
        self.stdout.write(json.dumps(told))
        bad = {
            name: number
            for name, number in found["outcomes"].items()
            if name not in (ReplayOutcome.DONE, ReplayOutcome.WAITING)
        }
        if not preview and (job.status not in OVER or bad):
            raise CommandError(
                f"Not all was done: {bad or job.status}. `replay --job {job.public_id}` goes on; its page shows each record."
            )


def _is_over(job: ReplayJob) -> bool:
    return job.status in OVER or (
        job.status == ReplayStatus.PAUSED
        and not ReplayItem.objects.filter(job=job, outcome=ReplayOutcome.UNDER_WAY).exists()
    )


def _person(username: str | None) -> User:
    found = User.objects.filter(username=username or "", is_active=True).first()
    if found is None:
        raise CommandError(f"--by takes the username of an active person; there is no {username!r}.")
    return found


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    asked = {FILTERS[name]: options[name] for name in FILTERS if options[name] is not None}
    for name, suffix in (("since", "after"), ("until", "before")):
        if options[name]:
            asked[f"{options['time']}_{suffix}"] = options[name]
    if options["ids"] and asked:
        raise CommandError("Give ids or filters, not both.")
    return {"ids": options["ids"]} if options["ids"] else {"filter": asked}


def _how(options: dict[str, Any]) -> How:
    correction = None
    if options["merge"]:
        try:
            correction = {
                "kind": Correction.MERGE.value,
                "document": jsontext.parse(Path(options["merge"]).read_bytes()),
            }
        except OSError as error:
            raise CommandError(f"{options['merge']} cannot be read: {error.strerror}.") from error
    return How(options["versions"], options["from_step"], correction, not options["no_compare"], options["per_second"])
