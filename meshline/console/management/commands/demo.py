"""`manage.py demo`: the whole product in the foreground, with live sandbox traffic, until Ctrl-C."""

import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from meshline.demo import run
from meshline.demo.errors import DemoError
from meshline.embedded.errors import EmbeddedError


class Command(BaseCommand):
    help = "The whole product in the foreground, with a simulated CRM, ERP and support desk. Ctrl-C stops it."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="web port (default: 8000, or the next free one)")
        parser.add_argument("--seconds", type=float, help="stop by itself so long after the first page, with exit 0")
        parser.add_argument("--folder", type=Path, help="logs and the sandbox's store (default: .meshline/demo)")
        parser.add_argument(
            "--compare-after",
            type=float,
            default=45.0,
            metavar="S",
            help="seconds from the first page to the comparison",
        )

    def handle(self, *args: Any, port: int | None, **options: Any) -> None:
        if port is not None and not 0 < port < 65_536:
            raise CommandError(f"PORT is {port}, outside 1 to 65535. Example: PORT=8000")
        root = Path(settings.BASE_DIR)
        wishes = run.Wishes(
            root=root,
            folder=options["folder"] or root / ".meshline" / "demo",
            port=port,
            seconds=options["seconds"],
            compare_after_s=options["compare_after"],
            began_at=_began_at(),
        )
        try:
            run.run(wishes, say=self._say)
        except (DemoError, EmbeddedError) as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()


def _began_at() -> float:
    """When `make demo` began (it says so), so that the time shown includes the installation."""
    try:
        return float(os.environ.get("MESHLINE_BEGAN_AT", ""))
    except ValueError:
        return time.time()
