"""Which flows look up the records of which others, read from the definitions: what they look up had better be there first. A hint for claims, kept a while."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection

from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

KEPT_S = 10.0
LOOKED_UP = re.compile(r"\b(?:lookup|delivered)\(\s*['\"]([a-z][a-z0-9_]*)['\"]")
Masters = Mapping[str, frozenset[str]]
_kept: dict[str, tuple[float, Masters]] = {}


def masters() -> Masters:
    """Flow to the flows whose records it looks up, as of a few seconds ago. One query in ten seconds."""
    name, now = str(connection.settings_dict["NAME"]), time.monotonic()
    found = _kept.get(name)
    if found is None or now - found[0] > KEPT_S:
        found = _kept[name] = (now, of(catalog.current()))
    return found[1]


def of(definitions: Catalog) -> Masters:
    """Pure."""
    mappings = definitions.by_kind.get(Kind.MAPPING, {})
    flows = definitions.all(Kind.FLOW)
    makes: dict[str, set[str]] = {}
    for flow in flows:
        if flow.spec.mapping in mappings:
            makes.setdefault(mappings[flow.spec.mapping].spec.object, set()).add(flow.name)
    found = {}
    for flow in flows:
        mapping = mappings.get(flow.spec.mapping)
        read = [
            *_texts(flow.spec.model_dump(mode="json")),
            *(_texts(mapping.spec.model_dump(mode="json")) if mapping else ()),
        ]
        objects = {name for text in read for name in LOOKED_UP.findall(text)}
        found[flow.name] = frozenset(name for made in objects for name in makes.get(made, ())) - {flow.name}
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
