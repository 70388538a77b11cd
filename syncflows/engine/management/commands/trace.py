"""`manage.py trace KEY [--json]`: the lineage of a record, by canonical key, external id, order number, correlation id, event or run id, or customer."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from meshline.kernel import jsontext
from syncflows.engine import trace
from syncflows.engine.archives import months

STORIES_PRINTED = 20


class Command(BaseCommand):
    help = "Tell the story of a record: every decision, attempt and answer, in order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "key", help="canonical key, order number, external id, correlation id, customer, evt_… or run_…"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of prose")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = trace.find(options["key"])
            stories = [trace.of_event(match.event) for match in found.matches[:STORIES_PRINTED]]
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer: {error}. Try again when it is back.", returncode=2
            ) from error
        if not stories:
            raise CommandError(
                f"Nothing answers to {options['key']!r}. Keys are exact: an opportunity or order number, a correlation id, a customer's name, evt_… or run_…."
            )
        if options["json"]:
            self.stdout.write(
                jsontext.dumps(
                    {
                        "key": found.key,
                        "matches": len(found.matches),
                        "records": [trace.as_json(story) for story in stories],
                    }
                )
            )
            return
        for story in stories:
            self._tell(story)
        if found.more or len(found.matches) > len(stories):
            self.stderr.write(f"The first {len(stories)} of more are shown; ask for one by its own key.")

    def _tell(self, story: trace.Story) -> None:
        event = story.event
        self.stdout.write(
            f"{event.public_id}  {event.type} from {event.source}  {event.canonical_key}  correlation {event.correlation_id}"
        )
        for run in story.runs:
            self.stdout.write(f"  {run.public_id}  {run.flow}: {run.get_status_display()}. {run.status_reason}")
        note = months.note(event.pk)
        if note:
            self.stdout.write(f"  {note}")
        for fact in story.facts:
            at = timezone.localtime(fact.at).isoformat(timespec="milliseconds")
            self.stdout.write(f"    {at}  {fact.kind:<12} {fact.summary}" + (f"  [{fact.actor}]" if fact.actor else ""))
