"""The history of definitions for people: who made which version, and what it changed field by field. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from meshline.kernel.errors import Missing
from syncflows.governance import yaml_writing
from syncflows.governance.models import DefinitionVersion

VERSIONS_SHOWN = 100
Names = Collection[tuple[str, str]]


@dataclass(frozen=True)
class Comparison:
    """`rows` for `partials/diff.html`; `older` is None for a first version."""

    newer: DefinitionVersion
    older: DefinitionVersion | None
    rows: list[dict[str, Any]]


def of(names: Names) -> list[DefinitionVersion]:
    """Versions of several definitions (kind, name), newest first. One query; without their documents."""
    wanted = Q()
    for kind, name in names:
        wanted |= Q(definition__kind=kind, definition__name=name)
    rows = (
        DefinitionVersion.objects.select_related("definition").filter(wanted)
        if names
        else DefinitionVersion.objects.none()
    )
    return list(rows.defer("document").order_by("-created_at", "-pk")[:VERSIONS_SHOWN])


def compare(kind: str, name: str, number: int, *, with_number: int | None = None) -> Comparison:
    """One version against an older one (default: the one before). Raises Missing."""
    rows = DefinitionVersion.objects.select_related("definition").filter(definition__kind=kind, definition__name=name)
    newer = rows.filter(number=number).first()
    if newer is None:
        raise Missing(f"{kind} {name} has no version {number}.")
    older = rows.filter(number=number - 1 if with_number is None else with_number).first()
    return Comparison(newer, older, differences(older.document if older else {}, newer.document))


def differences(before: Any, after: Any) -> list[dict[str, Any]]:
    """Changed leaves by path, in the documents' order."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    paths = [*old, *(path for path in new if path not in old)]
    return [
        {"field": path, "before": old.get(path), "after": new.get(path), "changed": True}
        for path in paths
        if path not in old or path not in new or old[path] != new[path]
    ]


def text(version: DefinitionVersion) -> str:
    """The document as YAML."""
    return yaml_writing.write(version.document)


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list) and value:
        return [leaf for place, item in enumerate(value) for leaf in _leaves(item, f"{path}[{_place(item, place)}]")]
    return [(path, value)] if path else []


def _place(item: Any, number: int) -> str:
    """Rules and steps by their name, so that one more at the top does not change all below."""
    name = item.get("name") if isinstance(item, dict) else None
    return str(name or number)
