"""`route_unrouted FLOW`: give a run of this flow to each event that no live flow wanted when it arrived."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from meshline.kernel.errors import MeshlineError
from ownership.models import User
from syncflows.engine import unrouted


class Command(BaseCommand):
    help = (
        "Route events that no live flow wanted when they arrived; JSON {flow, events, records, oldest, newest, routed}."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("flow", help="name of a live flow")
        parser.add_argument("--dry-run", action="store_true", help="only say what it would do")
        parser.add_argument("--by", default="", help="username of who asks; needed unless it is a dry run")
        parser.add_argument("--reason", default="", help="becomes part of each event's lineage; needed as well")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = vars(unrouted.preview(options["flow"]))
            routed = 0 if options["dry_run"] else self._route(options)
        except MeshlineError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps({**found, "routed": routed}, default=str))

    def _route(self, options: dict[str, Any]) -> int:
        person = User.objects.filter(username=options["by"], is_active=True).first()
        if person is None:
            raise CommandError(f"There is no person {options['by']!r}. Say who asks: --by USERNAME.")
        routed = 0
        while done := unrouted.route(options["flow"], by=person, reason=options["reason"]):
            routed += done
            self.stderr.write(f"{routed} routed")
        return routed
