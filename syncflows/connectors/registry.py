"""Which code speaks to which kind of system. A new kind is one entry here and one module or package beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from syncflows.connectors.errors import Misconfigured
from syncflows.connectors.protocol import Connector

KINDS: dict[str, str] = {
    "http": "syncflows.connectors.http:build",
    "tryton": "syncflows.connectors.tryton:build",
}


def build(kind: str, *, name: str, spec: Mapping[str, Any]) -> Connector:
    """A connector of this kind for the system `name` with its definition's `spec`. Raises Misconfigured."""
    return _builder(kind)(name=name, spec=spec)


def _builder(kind: str) -> Callable[..., Connector]:
    try:
        module, function = KINDS[kind].split(":")
    except KeyError:
        raise Misconfigured(f"There is no connector {kind!r}. Connectors: {', '.join(sorted(KINDS))}.") from None
    found: Callable[..., Connector] = getattr(import_module(module), function)
    return found
