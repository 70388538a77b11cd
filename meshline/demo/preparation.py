"""What has to be in the database before the demo's parts start: tables, the sample definitions, the five log-ins.

Running it again changes nothing that people have changed meanwhile.
"""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management import CommandError, call_command
from django.db import transaction

from meshline.demo.errors import DemoError
from meshline.demo.logins import LOGINS, Login
from meshline.demo.plan import Demo
from ownership.enums import Role
from ownership.models import User
from syncflows.governance.models import DefinitionVersion

Step = tuple[str, Callable[[], str]]


def steps(demo: Demo) -> Iterator[Step]:
    """Yields each step as a name and what does it; that returns a line to show."""
    yield "tables", _migrate
    yield "log-ins", _make_logins
    yield "definitions", lambda: _apply_definitions(demo)


def _migrate() -> str:
    call_command("migrate", interactive=False, verbosity=0)
    return "migrated"


def _apply_definitions(demo: Demo) -> str:
    """Only into an empty store: later, what people have changed on screens counts."""
    if DefinitionVersion.objects.exists():
        return "there already"
    if not demo.definitions.is_dir():
        raise DemoError(f"The sample definitions are missing: {demo.definitions}. What to do: restore that folder.")
    # Applied by one person and signed by another, as everybody's definitions are.
    summary = _run_json("flows", "apply", str(demo.definitions), "--by", "robin", "--sign-as", "alex")
    counts = {name: len(found) if isinstance(found, list) else found for name, found in summary.items()}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if isinstance(count, int) and count)


def _run_json(*arguments: str) -> dict[str, Any]:
    """Returns the JSON object that a command prints as its last line."""
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        raise DemoError(f"`manage.py {' '.join(arguments)}` failed: {error}") from error
    lines = out.getvalue().splitlines()
    return json.loads(lines[-1]) if lines else {}


def _make_logins() -> str:
    made = [login["username"] for login in LOGINS if _make_login(login)]
    return f"made {', '.join(made)}" if made else "there already"


def _make_login(login: Login) -> bool:
    """Makes a person once, or lets one that the definitions brought log in. Returns whether anything was written."""
    first, _, last = login["name"].partition(" ")
    is_admin = login["role"] == Role.ADMIN
    defaults = {
        "first_name": first,
        "last_name": last,
        "email": f"{login['username']}@kestrel.example",
        "role": login["role"],
        "is_staff": is_admin,
        "is_superuser": is_admin,
    }
    with transaction.atomic():
        user, is_new = User.objects.select_for_update().get_or_create(username=login["username"], defaults=defaults)
        if not is_new and user.has_usable_password() and user.password:
            return False
        user.set_password(login["password"])
        user.save()
    return True
