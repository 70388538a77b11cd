"""People and teams. Alice owns, Bob approves, Charlie is an outsider."""

from __future__ import annotations

from itertools import count
from typing import Any

from ownership.enums import OwnerRole, Role
from ownership.models import FlowOwner, Team, User

_numbers = count(1)


def person(name: str = "", *, role: str = Role.FINANCE_OPS, **values: Any) -> User:
    """A person with a username of their own; `name` such as "Alice Ames" gives alice-7, alice-7@example.test."""
    full = name or "Pat Person"
    first, _, last = full.partition(" ")
    username = f"{first.lower()}-{next(_numbers)}"
    defaults = {
        "username": username,
        "email": f"{username}@example.test",
        "first_name": first,
        "last_name": last,
        "role": role,
    }
    return User.objects.create_user(password=None, **{**defaults, **values})


def alice(**values: Any) -> User:
    """Works tickets (finance ops)."""
    return person("Alice Ames", **values)


def bob(**values: Any) -> User:
    """Approves (sales leader)."""
    return person("Bob Brown", role=Role.SALES_LEADER, **values)


def charlie(**values: Any) -> User:
    """May look only (auditor)."""
    return person("Charlie Cole", role=Role.AUDITOR, **values)


def team(name: str, *members: User, on_call: User | None = None) -> Team:
    found, _ = Team.objects.get_or_create(name=name, defaults={"title": name.replace("-", " ").capitalize()})
    found.on_call = on_call
    found.save()
    found.members.add(*members)
    return found


def owner(
    flow: str, role: OwnerRole, *, person: User | None = None, team: Team | None = None, fallback: User | None = None
) -> FlowOwner:
    return FlowOwner.objects.create(flow=flow, role=role, person=person, team=team, fallback=fallback)
