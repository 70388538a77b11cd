"""`manage.py tickets list`, `tickets accept|replay|resolve|assign [--class C --reason-code R --flow F … | ID…] --by USER --reason TEXT`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from exceptions import permissions, selectors
from exceptions.bulk import Options
from exceptions.enums import LIVE, BulkAction, TicketStatus
from exceptions.filters import BY_CLOCK
from exceptions.management import acting
from exceptions.models import Ticket
from syncflows.enums import ExceptionClass

ACTIONS = {
    "accept": BulkAction.ACCEPT,
    "replay": BulkAction.REPLAY,
    "resolve": BulkAction.RESOLVE,
    "assign": BulkAction.ASSIGN,
}
CHOICES = {
    "exception_class": "exception_class",
    "reason_code": "reason",
    "flow": "flow",
    "queue": "queue__name",
    "owner": "owner__username",
}


class Command(BaseCommand):
    help = "List live tickets, and accept, replay, resolve or assign them, singly or in bulk. Prints a JSON object last; exits 1 where any was refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="tickets, most urgent first")
        listed.add_argument("--status", choices=TicketStatus.values, help="default: all that are not resolved")
        _add_choice(listed)
        for verb in ACTIONS:
            act = verbs.add_parser(verb, help=f"{verb} tickets")
            act.add_argument("ids", nargs="*", metavar="ID", help="public ids (tkt_…)")
            _add_choice(act)
            acting.add_who_and_why(act, reason=verb != "assign")
            if verb == "resolve":
                act.add_argument("--resolution", required=True, choices=[item.value for item in permissions.BY_HAND])
            if verb == "assign":
                act.add_argument("--to", metavar="USER", help="username; without --to and --team: back to the queue")
                act.add_argument("--team", help="team whose queue takes it")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = _narrowed(selectors.tickets(), options)
        if options["verb"] == "list":
            self._list(rows.filter(status__in=[options["status"]] if options["status"] else LIVE).order_by(*BY_CLOCK))
            return
        narrowed = any(options.get(name) for name in CHOICES)
        if bool(options["ids"]) == narrowed:
            raise CommandError(
                "Name the tickets by their ids, or narrow them with --class, --reason-code, --flow, --queue or --owner; one of the two."
            )
        by = acting.person(options["by"])
        rows = acting.chosen(rows, options["ids"]) if options["ids"] else rows.filter(status__in=LIVE)
        acting.perform(
            self, rows, ACTIONS[options["verb"]], by=by, reason=options.get("reason") or "", options=_options(options)
        )

    def _list(self, rows: QuerySet[Ticket]) -> None:
        found = [
            {
                "id": row.public_id, "status": row.status, "subject": row.subject, "class": row.exception_class, "reason": row.reason, "flow": row.flow,
                "queue": row.queue.name, "owner": row.owner.username if row.owner else None, "amount": acting.amount(row.amount), "currency": row.currency,
                "customer": row.customer, "due_at": row.due_at, "times_seen": row.times_seen, "message": row.message,
            }
            for row in rows.iterator(chunk_size=500)
        ]  # fmt: skip
        acting.print_json(self, {"count": len(found), "tickets": found})


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("--class", dest="exception_class", choices=ExceptionClass.values, help="only of this class")
    parser.add_argument("--reason-code", help="only with this reason, such as price_above_list")
    parser.add_argument("--flow", help="only of this flow")
    parser.add_argument("--queue", help="only in this team's queue")
    parser.add_argument("--owner", metavar="USER", help="only owned by this person")


def _narrowed(rows: QuerySet[Ticket], options: dict[str, Any]) -> QuerySet[Ticket]:
    return rows.filter(**{field: options[name] for name, field in CHOICES.items() if options.get(name)})


def _options(options: dict[str, Any]) -> Options:
    if options.get("to") and options.get("team"):
        raise CommandError("--to names a person, --team a queue; give one of them.")
    to = (
        acting.person(options["to"])
        if options.get("to")
        else acting.team(options["team"])
        if options.get("team")
        else None
    )
    return Options(to=to, resolution=options.get("resolution") or "")
