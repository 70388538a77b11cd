"""`manage.py sandbox`: the simulated CRM, ERP and support desk in the foreground. Touches no Django database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from syncflows.sandbox.errors import SandboxStartError
from syncflows.sandbox.server import DEFAULT_PORT, DEFAULT_STORE, serve


class Command(BaseCommand):
    help = "A simulated CRM, ERP and support desk over HTTP, with faults on demand. SIGTERM or Ctrl+C ends it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default %(default)s)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
        parser.add_argument("--store", type=Path, default=DEFAULT_STORE, help="SQLite file (default %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            serve(host=options["host"], port=options["port"], store=options["store"])
        except SandboxStartError as error:
            raise CommandError(str(error)) from error
