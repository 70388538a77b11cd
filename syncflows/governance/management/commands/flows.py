"""`manage.py flows apply|diff|export|schemas`: definitions from and to YAML files."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from meshline.kernel import actors
from meshline.kernel.actors import Actor
from meshline.kernel.errors import MeshlineError, Missing
from ownership.enums import Role
from ownership.models import User
from syncflows.governance import apply, diff, editor_schemas, export, files
from syncflows.governance.problems import BadDefinitions, Problem

SCHEMAS_FOLDER = "docs/schemas"
Outcome = dict[str, Any]
# What is printed, and why what was asked did not happen (empty: it did).
Result = tuple[Outcome, str]


class Command(BaseCommand):
    help = "Apply, compare and export definitions (YAML). Prose goes to standard error, one JSON object to the last line of standard output."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="apply | diff | export | schemas")
        applying = actions.add_parser("apply", help="put the definitions of a folder into force")
        applying.add_argument("dir", type=Path)
        applying.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        applying.add_argument("--by", metavar="USER", help="the author; without it, the command line")
        applying.add_argument(
            "--sign-as", metavar="USER", action="append", default=[], help="who signs; not the author; may be repeated"
        )
        for name, what in (
            ("diff", "show how a folder differs from what is in force"),
            ("export", "write what is in force to a folder"),
        ):
            actions.add_parser(name, help=what).add_argument("dir", type=Path)
        schemas = actions.add_parser("schemas", help="write JSON Schemas for editors")
        schemas.add_argument("dir", type=Path, nargs="?", default=Path(settings.BASE_DIR) / SCHEMAS_FOLDER)
        schemas.add_argument("--check", action="store_true", help="only check that they are fresh")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcome, refusal = getattr(self, f"_{options['action']}")(options)
        except BadDefinitions as error:
            outcome, refusal = self._refused(options["action"], error.problems)
        except (MeshlineError, OSError) as error:
            outcome, refusal = _failed(getattr(error, "message", str(error)))
        except (OperationalError, ProgrammingError) as error:
            outcome, refusal = _failed(
                f"The database cannot be used: {str(error).strip().rstrip('.')}. Start it, or run manage.py migrate."
            )
        self.stdout.write(json.dumps(outcome, ensure_ascii=False))
        if refusal:
            raise CommandError(refusal)

    def _apply(self, options: dict[str, Any]) -> Result:
        by, signers = _author(options["by"]), options["sign_as"]
        summary = apply.apply(files.load(options["dir"]), by=by, signed_by=signers, dry_run=options["dry_run"])
        for warning in summary.warnings:
            self._say(f"warning: {warning}")
        if summary.problems:
            return self._refused("apply", summary.problems, warnings=summary.warnings)
        self._say(_sentence(summary, dry_run=options["dry_run"]))
        return _applied(summary, dry_run=options["dry_run"]), ""

    def _diff(self, options: dict[str, Any]) -> Result:
        found = diff.compare(files.load(options["dir"]))
        for text in found.texts:
            self.stdout.write(text)
        for ident in found.absent:
            self._say(f"{ident} is in force and not in the folder; applying would leave it as it is.")
        self._say(f"{len(found.changed)} would change." if found.changed else "Nothing would change.")
        return {"changed": found.changed, "absent": found.absent}, ""

    def _export(self, options: dict[str, Any]) -> Result:
        written = export.export(options["dir"])
        if not written:
            return _failed("There are no definitions to export yet. Apply some: manage.py flows apply DIR.")
        self._say(f"{len(written)} definitions written to {options['dir']}.")
        return {"exported": written}, ""

    def _schemas(self, options: dict[str, Any]) -> Result:
        folder = options["dir"]
        if not options["check"]:
            return {"written": editor_schemas.write(folder)}, ""
        stale = editor_schemas.stale(folder)
        remedy = f"Stale or missing in {folder}: {', '.join(stale)}. Run manage.py flows schemas and commit the result."
        return {"stale": stale}, remedy if stale else ""

    def _refused(self, action: str, problems: list[Problem], *, warnings: Sequence[Problem] = ()) -> Result:
        for problem in problems:
            self._say(str(problem))
        refused = sorted({problem.ident for problem in problems if problem.ident})
        facts = {
            "refused": refused,
            "problems": [found.as_json() for found in problems],
            "warnings": [found.as_json() for found in warnings],
        }
        lists: Outcome = {"created": [], "updated": [], "unchanged": []} if action == "apply" else {"changed": []}
        counts = {name: len(found) for name, found in {**lists, "refused": refused}.items()}
        plural = "s" if len(problems) != 1 else ""
        return {**lists, **facts, "counts": counts}, f"{len(problems)} problem{plural}; nothing was changed."

    def _say(self, text: str) -> None:
        self.stderr.write(text)


def _failed(message: str) -> Result:
    return {"error": message}, message


def _author(username: str | None) -> Actor:
    """The actor of a name. Raises Missing."""
    if not username:
        return actors.system("command line")
    user = User.objects.filter(username=username, is_active=True).exclude(role=Role.SERVICE).first()
    if user is None:
        known = ", ".join(
            User.objects.filter(is_active=True)
            .exclude(role=Role.SERVICE)
            .order_by("username")
            .values_list("username", flat=True)[:12]
        )
        raise Missing(
            f"There is no active person {username!r}. There are: {known or 'none yet; apply without --by first'}.",
            code="unknown_user",
        )
    return actors.of(user)


def _applied(summary: apply.Summary, *, dry_run: bool) -> Outcome:
    lists = {name: getattr(summary, name) for name in ("created", "updated", "unchanged", "refused")}
    counts = {name: len(found) for name, found in lists.items()}
    return {**lists, "counts": counts, "warnings": [found.as_json() for found in summary.warnings], "dry_run": dry_run}


def _sentence(summary: apply.Summary, *, dry_run: bool) -> str:
    would = "Would be" if dry_run else "Done:"
    return (
        f"{would} {len(summary.created)} created, {len(summary.updated)} updated, {len(summary.unchanged)} unchanged."
    )
