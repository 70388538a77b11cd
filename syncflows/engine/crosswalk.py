"""The same thing under its names in different systems: declared aliases first, then what was learned, then our own key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
        self._keys: dict[tuple[str, str, str], tuple[str, str] | None] = {}
        self._records: dict[tuple[str, str], CanonicalRecord | None] = {}
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
                waits_for=waits_for(entity, system, str(value)),
            )  # fmt: skip
        return str(found)

    def _record(self, system: str, entity: str, value: str) -> CanonicalRecord:
        key, how = self._key(system, entity, value) or (value.strip(), "own key")
        record = self._load(entity, key)
        if record is None:
            raise Unresolved(f"No {entity} answers to {value!r} of {system}", entity=entity, value=value, waits_for=waits_for(entity, system, value))
        self.used.append({"entity": entity, "value": value, "key": key, "how": how})
        return record

    def _key(self, system: str, entity: str, value: str) -> tuple[str, str] | None:
        place = (entity, system, folded(value))
        if place in self._aliases:
            return self._aliases[place], "declared alias"
        if place not in self._keys:
            row = CrosswalkEntry.objects.filter(entity=entity, system=system, value=folded(value)).values_list("key", "origin").first()
            self._keys[place] = (row[0], row[1]) if row else None
        return self._keys[place]

    def _load(self, entity: str, key: str) -> CanonicalRecord | None:
        if (entity, key) not in self._records:
            self._records[entity, key] = CanonicalRecord.objects.filter(object=entity, key=key).order_by("-updated_at").first()
        return self._records[entity, key]


def folded(value: str) -> str:
    """Names are compared without case and outer or doubled blanks."""
    return " ".join(value.split()).casefold()[:200]


def waits_for(entity: str, system: str, value: str) -> str:
    return f"{entity}:{system}:{folded(value)}"[:260]


def learn(*, entity: str, key: str, names: Iterable[tuple[str, str]], by: str) -> None:
    """Remember that (system, name) pairs mean this record. The first meaning of a name stays; Idempotent: on (entity, system, name)."""
    rows = [
        CrosswalkEntry(entity=entity, system=system, value=folded(name), key=key, origin=LEARNED, created_by=by)
        for system, name in names
        if folded(name)
    ]
    CrosswalkEntry.objects.bulk_create(rows, ignore_conflicts=True)
