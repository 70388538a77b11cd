"""The definitions in force, compiled once per content. Readers ask here; nobody else interprets a version's document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connection

from meshline.kernel.errors import Missing
from syncflows.governance.enums import Kind
from syncflows.governance.models import Definition, DefinitionVersion
from syncflows.governance.schemas import SPECS, Contract, Flow, Mapping, Policy, Route, System
from syncflows.governance.schemas.base import Strict

T = TypeVar("T", bound=Strict)


@dataclass(frozen=True)
class Versioned:
    """One active version: `spec` is the kind's schema model."""

    id: int
    kind: str
    name: str
    title: str
    number: int
    fingerprint: str
    spec: Any

    @property
    def label(self) -> str:
        return f"{self.name} {self.number}"


@dataclass(frozen=True)
class Catalog:
    """All active definitions at one moment. Make it once per batch or request: `current()`."""

    by_kind: dict[str, dict[str, Versioned]]

    def get(self, kind: Kind, name: str) -> Versioned:
        """Raises Missing, naming what exists."""
        try:
            return self.by_kind[kind][name]
        except KeyError:
            known = ", ".join(sorted(self.by_kind.get(kind, {}))) or "none yet; run `manage.py flows apply DIR`"
            raise Missing(
                f"There is no {kind} named {name!r}. There are: {known}.", code="unknown_definition"
            ) from None

    def all(self, kind: Kind) -> list[Versioned]:
        return [self.by_kind[kind][name] for name in sorted(self.by_kind.get(kind, {}))]

    def contract_for(self, *, source: str, type: str) -> Versioned | None:  # noqa: A002 - CloudEvents' own name
        return next(
            (found for found in self.all(Kind.CONTRACT) if found.spec.system == source and type in found.spec.types),
            None,
        )

    def flows_for(self, contract: str) -> list[Versioned]:
        return [found for found in self.all(Kind.FLOW) if found.spec.live and found.spec.trigger.contract == contract]


def current() -> Catalog:
    """The definitions in force now: one small query; specs are parsed once per version and process."""
    by_kind: dict[str, dict[str, Versioned]] = {}
    rows = Definition.objects.filter(active__isnull=False).values_list(
        "kind", "name", "active_id", "active__number", "active__fingerprint"
    )
    for kind, name, version_id, number, fingerprint in rows:
        by_kind.setdefault(kind, {})[name] = _parsed(
            connection.settings_dict["NAME"], version_id, kind, name, number, fingerprint
        )
    return Catalog(by_kind)


def at_version(version_id: int) -> Versioned:
    """One version, active or not."""
    row = DefinitionVersion.objects.select_related("definition").get(pk=version_id)
    return _versioned(row)


def kept(version_id: int) -> Versioned:
    """One version, active or not, read once per process: versions never change. Raises Missing."""
    try:
        return _kept(connection.settings_dict["NAME"], version_id)
    except DefinitionVersion.DoesNotExist:
        raise Missing(f"The definition version {version_id} is gone.", code="version_gone") from None


@lru_cache(maxsize=2048)
def _kept(database: str, version_id: int) -> Versioned:
    return at_version(version_id)


@lru_cache(maxsize=2048)
def _parsed(database: str, version_id: int, kind: str, name: str, number: int, fingerprint: str) -> Versioned:
    return at_version(version_id)


def _versioned(row: DefinitionVersion) -> Versioned:
    kind = row.definition.kind
    spec = SPECS[Kind(kind)].model_validate(row.spec)
    return Versioned(row.pk, kind, row.definition.name, row.title, row.number, row.fingerprint, spec)


__all__ = [
    "Catalog",
    "Contract",
    "Flow",
    "Mapping",
    "Policy",
    "Route",
    "System",
    "Versioned",
    "at_version",
    "current",
    "kept",
]
