"""Who did it: every write takes `by=`, an Actor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind` is user, token or system; `ident` a public id or part name; `user_id` the row of the person, where there is one."""

    kind: str
    ident: str
    label: str
    user_id: int | None = None

    def __str__(self) -> str:
        return self.label


def system(part: str) -> Actor:
    """Meshline itself, by part: engine, sweeper, reconciliation…"""
    return Actor("system", part, f"Meshline ({part})")


def of(user: Any) -> Actor:
    """A person who is logged in, or the service user that a token stands for."""
    return Actor("user", user.public_id, user.get_full_name() or user.get_username(), user.pk)
