"""What people, screens and routing read of a definition in their own tables: systems, people, teams, owners. Written by `governance.apply` only.

Must not touch what people and the engine decide there: passwords, absence, a system's state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models

from meshline.kernel import transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict
from ownership.enums import OwnerRole, Role
from ownership.models import FlowOwner, System, Team, User
from syncflows.governance.enums import Kind
from syncflows.governance.schemas import Metadata

# People before teams, both before owners.
ORDER = (Kind.PERSON, Kind.SYSTEM, Kind.TEAM, Kind.OWNERS)


def project(kind: Kind, metadata: Metadata, spec: Any, *, by: Actor) -> None:
    """Write the rows that follow from one definition. Idempotent: on kind and name. Raises Conflict for a name that a service identity has."""
    WRITERS[kind](metadata, spec, by)


def exists(kind: Kind, name: str) -> bool:
    """Whether the rows of a definition are there."""
    rows: dict[Kind, models.QuerySet[Any]] = {
        Kind.PERSON: User.objects.filter(username=name),
        Kind.SYSTEM: System.objects.filter(name=name),
        Kind.TEAM: Team.objects.filter(name=name),
    }
    return kind not in rows or rows[kind].exists()


def _person(metadata: Metadata, spec: Any, by: Actor) -> None:
    first, _, last = spec.name.partition(" ")
    user = User.objects.filter(username=metadata.name).first()
    if user is not None and user.role == Role.SERVICE:
        raise Conflict(
            f"{metadata.name} is the identity of an API token, so no person can be called that. Choose another name."
        )
    if user is None:
        user = User(username=metadata.name)
        user.set_unusable_password()
    _save(
        user,
        by,
        first_name=first[:150],
        last_name=last[:150],
        email=spec.email,
        role=spec.role,
        time_zone=spec.time_zone,
    )


def _system(metadata: Metadata, spec: Any, by: Actor) -> None:
    row = System.objects.filter(name=metadata.name).first() or System(name=metadata.name)
    _save(row, by, title=metadata.title or metadata.name, connector=spec.connector, environment=spec.environment)


def _team(metadata: Metadata, spec: Any, by: Actor) -> None:
    row = Team.objects.filter(name=metadata.name).first() or Team(name=metadata.name)
    on_call = User.objects.get(username=spec.on_call) if spec.on_call else None
    _save(row, by, title=metadata.title or metadata.name, mailbox=spec.mailbox, on_call=on_call)
    row.members.set(User.objects.filter(username__in=spec.members))


def _owners(metadata: Metadata, spec: Any, by: Actor) -> None:
    for role in OwnerRole.values:
        cell = getattr(spec, role)
        row = FlowOwner.objects.filter(flow=spec.flow, role=role).first() or FlowOwner(flow=spec.flow, role=role)
        team = Team.objects.get(name=cell.team) if cell.team else None
        _save(row, by, person=_user(cell.person), team=team, fallback=_user(cell.fallback))


def _user(name: str | None) -> User | None:
    return User.objects.get(username=name) if name else None


def _save(row: Any, by: Actor, **values: Any) -> None:
    """Save with history, where a value differs."""
    if row.pk and all(getattr(row, name) == value for name, value in values.items()):
        return
    for name, value in values.items():
        setattr(row, name, value)
    transitions.sign(row, by=by, reason=f"definition applied by {by}")
    row.save()


WRITERS: dict[Kind, Callable[[Metadata, Any, Actor], None]] = {
    Kind.PERSON: _person,
    Kind.SYSTEM: _system,
    Kind.TEAM: _team,
    Kind.OWNERS: _owners,
}
