"""`manage.py sandbox_traffic`: salespeople at work in a running sandbox. Touches no Django database."""

import json
import random
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from syncflows.sandbox.errors import SandboxStartError
from syncflows.sandbox.traffic import Traffic, run


class Command(BaseCommand):
    help = "Demo traffic for a running sandbox: deals opened, moved and won, some of it going wrong."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8100", help="where the sandbox is (default %(default)s)")
        parser.add_argument("--rate", type=float, default=0.5, help="changes a second after the first burst")
        parser.add_argument("--faulty", type=float, default=0.15, help="share of changes that go wrong, 0 to 1")
        parser.add_argument("--seconds", type=float, help="stop after so long; without it, at SIGTERM or Ctrl+C")
        parser.add_argument("--seed", type=int, default=1, help="the same number tells the same story")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["rate"] <= 1000:
            raise CommandError("--rate must be above 0 and at most 1000 changes a second, such as 0.5.")
        if not 0 <= options["faulty"] <= 1:
            raise CommandError("--faulty must be from 0 to 1, such as 0.15.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        traffic = Traffic(options["url"], random.Random(options["seed"]), faulty=options["faulty"])
        try:
            result = run(traffic, rate=options["rate"], seconds=options["seconds"])
        except SandboxStartError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            result = {"stopped": True, "done": dict(sorted(traffic.done.items()))}
        self.stdout.write(json.dumps(result))
