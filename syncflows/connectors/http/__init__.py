"""The declarative connector: a system's REST API, described in its definition and called as described. No system needs code of its own here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncflows.connectors.http.connector import HttpConnector
from syncflows.governance.schemas.systems import System


def build(*, name: str, spec: Mapping[str, Any] | System) -> HttpConnector:
    """A connector for the system `name`. `spec`: its definition's spec, as a mapping or already read. Raises Misconfigured."""
    return HttpConnector(name=name, spec=spec)


__all__ = ["HttpConnector", "build"]
