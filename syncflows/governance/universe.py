"""All definitions at once, as they would be in force: what is being applied laid over what is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from syncflows.governance.enums import Kind
from syncflows.governance.problems import PathParts


@dataclass(frozen=True)
class Subject:
    """One definition; `spec` is the kind's schema model."""

    kind: Kind
    name: str
    spec: Any
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def ident(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Finding:
    """What is wrong between definitions; `path` within the subject's document. A warning does not stop an apply."""

    subject: Subject
    path: PathParts
    message: str
    remedy: str
    is_warning: bool = False


@dataclass(frozen=True)
class Universe:
    """`usernames` and `teams` are those that exist without a definition too."""

    subjects: dict[tuple[Kind, str], Subject]
    usernames: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    @classmethod
    def of(cls, subjects: Iterable[Subject], *, usernames: Iterable[str] = (), teams: Iterable[str] = ()) -> Universe:
        return cls({(found.kind, found.name): found for found in subjects}, frozenset(usernames), frozenset(teams))

    def get(self, kind: Kind, name: str) -> Any:
        """The spec, or None."""
        found = self.subjects.get((kind, name))
        return found.spec if found else None

    def names(self, kind: Kind) -> frozenset[str]:
        known = frozenset(name for of_kind, name in self.subjects if of_kind == kind)
        return known | {Kind.PERSON: self.usernames, Kind.TEAM: self.teams}.get(kind, frozenset())

    def all(self, kind: Kind) -> list[Subject]:
        return [found for (of_kind, _), found in sorted(self.subjects.items()) if of_kind == kind]
