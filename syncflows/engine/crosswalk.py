"""The same thing under its names in different systems: declared aliases first, then what was learned, then our own key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Subquery, Value
from django.db.models.functions import Coalesce

from meshline.kernel.expressions import Escaping
from syncflows.engine.models import CanonicalRecord, CrosswalkEntry
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

LEARNED = "learned"


class Unresolved(Escaping):
    """A name that no record answers to (yet). `waits_for` says what would answer it; `entity` product, customer…"""

    default_code = "unresolved"

    def __init__(self, message: str, *, entity: str, value: str, waits_for: str) -> None:
        super().__init__(message, retryable=True, context={"entity": entity, "value": value})
        self.entity = entity
        self.waits_for = waits_for


class Lookups:
    """Answers `lookup` and `delivered` for the expressions of one batch; remembers what it found that long."""

    def __init__(self, catalog: Catalog) -> None:
        self._aliases = {
            (found.spec.entity, found.spec.system, folded(alias)): key
            for found in catalog.all(Kind.CROSSWALK)
            for alias, key in found.spec.aliases.items()
        }
        self._found: dict[tuple[str, str, str], tuple[CanonicalRecord, str] | None] = {}
        self.used: list[dict[str, str]] = []

    def lookup(self, system: str, entity: str, value: Any) -> dict[str, Any]:
        """{key, document, ids} of the record that `system` calls `value`. Raises Unresolved."""
        record = self._record(system, entity, str(value))
        return {"key": record.key, "document": record.document, "ids": record.external_ids}

    def delivered(self, system: str, entity: str, value: Any, target: str) -> str:
        """The id of that record in the system `target`. Raises Unresolved while it has not been delivered there."""
        record = self._record(system, entity, str(value))
        found = record.external_ids.get(target)
        if not found:
            raise Unresolved(
                f"{entity.capitalize()} {record.key!r} is known, but not delivered to {target} yet", entity=entity, value=str(value),
                waits_for=waits_for(entity, system, str(value), target=target),
            )  # fmt: skip
        return str(found)

    def _record(self, system: str, entity: str, value: str) -> CanonicalRecord:
        place = (entity, system, folded(value))
        if place not in self._found:
            self._found[place] = self._find(place, value.strip())
        found = self._found[place]
        if found is None:
            raise Unresolved(
                f"No {entity} answers to {value!r} of {system}",
                entity=entity,
                value=value,
                waits_for=waits_for(entity, system, value),
            )
        said = {"entity": entity, "value": value, "key": found[0].key, "how": found[1]}
        if said not in self.used:
            self.used.append(said)
        return found[0]

    def _find(self, place: tuple[str, str, str], value: str) -> tuple[CanonicalRecord, str] | None:
        """Declared alias, then what was learned or decided, then our own key; the newest record where several flows keep one. One query."""
        entity, system, name = place
        rows = CanonicalRecord.objects.filter(object=entity)
        alias = self._aliases.get(place)
        if alias is not None:
            declared = rows.filter(key=alias).order_by("-updated_at").first()
            return (declared, "declared alias") if declared else None
        learned = CrosswalkEntry.objects.filter(entity=entity, system=system, value=name)
        known = Coalesce(Subquery(learned.values("key")[:1]), Value(value))
        record = (
            rows.filter(key=known)
            .annotate(origin=Subquery(learned.values("origin")[:1]))
            .order_by("-updated_at")
            .first()
        )
        return (record, record.origin or "own key") if record else None


def folded(value: str) -> str:
    """Names are compared without case and outer or doubled blanks."""
    return " ".join(value.split()).casefold()[:200]


def waits_for(entity: str, system: str, value: str, *, target: str = "") -> str:
    """The name of what is missing; `target` where the record is known, and its id in that system is missing."""
    return f"{entity}{'>' if target else ''}{target}:{system}:{folded(value)}"[:260]


def resolves(lookups: Lookups, wait: str) -> bool:
    """Whether what a run waits for, as `waits_for` names it, is there by now."""
    what, system, value = wait.split(":", 2)
    entity, _, target = what.partition(">")
    try:
        return bool(
            lookups.delivered(system, entity, value, target) if target else lookups.lookup(system, entity, value)
        )
    except Unresolved:
        return not target and _known_in_other_case(entity, value)


def _known_in_other_case(entity: str, name: str) -> bool:
    """Own keys count as they are written, what is awaited is folded: whether some key of the entity folds to it. Only the sweeper asks."""
    return CanonicalRecord.objects.filter(object=entity, key__iexact=name).exists()


def learn(*, entity: str, key: str, names: Iterable[tuple[str, str]], by: str) -> None:
    """Remember that (system, name) pairs mean this record. The first meaning of a name stays; Idempotent: on (entity, system, name)."""
    rows = [
        CrosswalkEntry(entity=entity, system=system, value=folded(name), key=key, origin=LEARNED, created_by=by)
        for system, name in names
        if folded(name)
    ]
    CrosswalkEntry.objects.bulk_create(rows, ignore_conflicts=True)
