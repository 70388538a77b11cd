"""`manage.py approvals list`, `approvals grant|refuse [--policy P] [--rule R] [--all | ID…] --by USER --reason TEXT`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from exceptions import selectors
from exceptions.enums import ApprovalStatus, BulkAction
from exceptions.management import acting
from exceptions.models import Approval

ACTIONS = {"grant": BulkAction.GRANT, "refuse": BulkAction.REFUSE}


class Command(BaseCommand):
    help = "List the approvals that are open, and decide them, singly or in bulk. Prints a JSON object last; exits 1 where any was not decided."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="open approvals")
        listed.add_argument("--status", choices=ApprovalStatus.values, default=ApprovalStatus.PENDING.value)
        _add_choice(listed)
        for verb in ACTIONS:
            decided = verbs.add_parser(verb, help=f"{verb} approvals")
            decided.add_argument("ids", nargs="*", metavar="ID", help="public ids (apr_…)")
            decided.add_argument("--all", action="store_true", help="every open approval that the other options leave")
            _add_choice(decided)
            acting.add_who_and_why(decided)

    def handle(self, *args: Any, **options: Any) -> None:
        rows = _narrowed(selectors.approvals(), options)
        if options["verb"] == "list":
            self._list(rows.filter(status=options["status"]).order_by("due_at", "pk"))
            return
        if bool(options["ids"]) == bool(options["all"]):
            raise CommandError(
                "Name the approvals by their ids, or say --all (with --policy or --rule to narrow it); one of the two."
            )
        by = acting.person(options["by"])
        rows = acting.chosen(rows, options["ids"]) if options["ids"] else rows.filter(status=ApprovalStatus.PENDING)
        acting.perform(self, rows, ACTIONS[options["verb"]], by=by, reason=options["reason"])

    def _list(self, rows: QuerySet[Approval]) -> None:
        found = [
            {
                "id": row.public_id, "status": row.status, "run": row.run.public_id, "policy": row.policy, "rule": row.rule, "team": row.team.name,
                "requester": row.requester, "amount": acting.amount(row.amount), "currency": row.currency, "customer": row.customer, "due_at": row.due_at, "message": row.message,
            }
            for row in rows.iterator(chunk_size=500)
        ]  # fmt: skip
        acting.print_json(self, {"count": len(found), "approvals": found})


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("--policy", help="only of this policy")
    parser.add_argument("--rule", help="only of this rule")


def _narrowed(rows: QuerySet[Approval], options: dict[str, Any]) -> QuerySet[Approval]:
    wanted = {name: options[name] for name in ("policy", "rule") if options.get(name)}
    return rows.filter(**wanted)
