"""`manage.py embedded start|stop|env|status`. Never touches the database through Django."""

import json
import os
import shlex
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from meshline.embedded import service
from meshline.embedded.errors import EmbeddedError

ACTIONS = ("start", "stop", "env", "status")


class Command(BaseCommand):
    help = "PostgreSQL and Valkey from wheels, in the background. `env` prints DATABASE_URL and REDIS_URL for a shell."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(Path(settings.BASE_DIR))
        except EmbeddedError as error:
            raise CommandError(str(error)) from error

    def _start(self, root: Path) -> None:
        urls = service.ensure_started(root=root)
        self.stderr.write("PostgreSQL and Valkey answer.")
        self.stdout.write(_exports(urls))

    def _stop(self, root: Path) -> None:
        service.stop(root=root)
        self.stderr.write("PostgreSQL and Valkey are stopped.")

    def _env(self, root: Path) -> None:
        self.stdout.write(_exports(_urls_in_use(root)))

    def _status(self, root: Path) -> None:
        self.stdout.write(json.dumps(service.status(root=root)))


def _urls_in_use(root: Path) -> dict[str, str]:
    """Returns what a shell needs: a server named from outside wins over the embedded one."""
    urls = {}
    for name, state in service.status(root=root).items():
        variable = service.VARIABLES[name]
        urls[variable] = os.environ.get(variable) or str(state["url"])
        if urls[variable] == state["url"] and not state["answering"]:
            raise EmbeddedError(f"{name} is not running. What to do: `manage.py embedded start`, or set {variable}.")
    return urls


def _exports(urls: dict[str, str]) -> str:
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in urls.items())
