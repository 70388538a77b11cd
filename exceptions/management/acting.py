"""What commands that act for a person share: finding the person, choosing records, doing it in bulk, and reporting."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from tqdm import tqdm

from exceptions import bulk
from exceptions.bulk import Options, Result
from exceptions.enums import BulkAction
from meshline.kernel import jsontext
from meshline.kernel.errors import MeshlineError
from ownership.models import Team, User

SHOWN_PROBLEMS = 20


def person(username: str) -> User:
    """Raises CommandError, naming who exists."""
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        known = (
            ", ".join(User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)[:20])
            or "nobody yet"
        )
        raise CommandError(f"There is no active user {username!r}. There are: {known}.")
    return found


def team(name: str) -> Team:
    """Raises CommandError, naming what exists."""
    found = Team.objects.filter(name=name).first()
    if found is None:
        raise CommandError(
            f"There is no team {name!r}. There are: {', '.join(Team.objects.order_by('name').values_list('name', flat=True)) or 'none yet'}."
        )
    return found


def add_who_and_why(parser: ArgumentParser, *, reason: bool = True) -> None:
    parser.add_argument("--by", required=True, metavar="USER", help="username of the person who decides")
    if reason:
        parser.add_argument("--reason", required=True, metavar="TEXT", help="why; becomes part of each record")


def chosen(queryset: QuerySet[Any], idents: list[str]) -> QuerySet[Any]:
    """The records of these public ids. Raises CommandError for one that does not exist."""
    found = set(queryset.filter(public_id__in=idents).values_list("public_id", flat=True))
    missing = [ident for ident in idents if ident not in found]
    if missing:
        raise CommandError(f"Not found: {', '.join(missing[:10])}. Nothing was done. `list` shows what there is.")
    return queryset.filter(public_id__in=idents)


def perform(
    command: BaseCommand,
    queryset: QuerySet[Any],
    action: BulkAction,
    *,
    by: User,
    reason: str,
    options: Options | None = None,
) -> None:
    """Do it to all, print the JSON object, exit 1 where any record was refused."""
    with tqdm(total=queryset.count(), unit="record", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        try:
            results = bulk.perform(
                queryset,
                action,
                by=by,
                reason=reason,
                options=options,
                progress=lambda done, of: bar.update(done - bar.n),
            )
        except MeshlineError as error:
            raise CommandError(error.message) from error
    _report(command, action, results)


def _report(command: BaseCommand, action: BulkAction, results: list[Result]) -> None:
    problems = [result for result in results if not result.done]
    for result in problems[:SHOWN_PROBLEMS]:
        command.stderr.write(f"{result.ident}: {result.problem}")
    listed = [{"id": result.ident, "code": result.code, "problem": result.problem} for result in problems]
    print_json(
        command,
        {
            "action": action.value,
            "asked": len(results),
            "done": len(results) - len(problems),
            "refused": len(problems),
            "problems": listed,
        },
    )
    if problems:
        raise CommandError(f"{len(problems)} of {len(results)} could not be done; the reasons are above.")


def amount(value: Decimal | None) -> str | None:
    """The plain numeral without the column's trailing zeros."""
    return None if value is None else format(value.normalize(), "f")


def print_json(command: BaseCommand, found: dict[str, Any]) -> None:
    """One object, the last line of standard output."""
    command.stdout.write(jsontext.dumps(found))
