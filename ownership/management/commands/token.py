"""`manage.py token create|list|revoke`: credentials of the API. The secret is printed once, as JSON on standard output."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from meshline.kernel import actors
from meshline.kernel.errors import MeshlineError
from ownership import tokens
from ownership.enums import Scope
from ownership.models import ApiToken

OPERATOR = actors.system("command line")


class Command(BaseCommand):
    help = "API credentials: create (prints the secret once), list, revoke."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="act", required=True, metavar="create|list|revoke")
        create = kinds.add_parser("create", help="make a credential and print its secret, this once")
        create.add_argument("name", help="who uses it, for example 'service desk'")
        create.add_argument("--scopes", required=True, help=f"separated by blanks: {' '.join(Scope.values)}")
        create.add_argument(
            "--systems", default="", help="sources it may send events for, separated by blanks; default: any"
        )
        create.add_argument("--days", type=int, help="ends by itself after so many days; default: when revoked")
        kinds.add_parser("list", help="all credentials, without secrets")
        kinds.add_parser("revoke", help="end a credential now").add_argument("id", help="tok_…")

    def handle(self, *, act: str, **options: Any) -> None:
        try:
            answer = ACTS[act](**options)
        except MeshlineError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(answer))


def _create(*, name: str, scopes: str, systems: str, days: int | None, **_: Any) -> dict[str, Any]:
    if days is not None and not 1 <= days <= 3650:
        raise CommandError(f"--days {days} is outside 1 to 3650.")
    lifetime = timedelta(days=days) if days else None
    token, secret = tokens.create(
        name=name, scopes=_words(scopes), systems=_words(systems), lifetime=lifetime, by=OPERATOR
    )
    return {"token": secret, **_shown(token)}


def _list(**_: Any) -> dict[str, Any]:
    return {"tokens": [_shown(token) for token in ApiToken.objects.order_by("-id")]}


def _revoke(*, id: str, **_: Any) -> dict[str, Any]:  # noqa: A002 - the argument's name on the command line
    tokens.revoke(public_id=id, by=OPERATOR)
    return _shown(ApiToken.objects.get(public_id=id))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _shown(token: ApiToken) -> dict[str, Any]:
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    told = {name: value.isoformat() if value else None for name, value in times.items()}
    return {"id": token.public_id, "name": token.name, "scopes": token.scopes, "systems": token.systems, **told}


ACTS: dict[str, Callable[..., dict[str, Any]]] = {"create": _create, "list": _list, "revoke": _revoke}
