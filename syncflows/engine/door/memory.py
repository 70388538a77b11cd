"""The definitions as this process saw them last, for reading a request without asking the database. What is stored is judged by fresh ones.

A definition that changed counts here after `KNOWN_FOR_S` at the latest. What is not found here is looked up before it is refused.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog

KNOWN_FOR_S = 1.0


@dataclass(frozen=True)
class _Seen:
    definitions: Catalog
    at: float


_seen: _Seen | None = None


def read() -> Catalog:
    """The definitions in force now. One query."""
    global _seen
    began = time.monotonic()
    definitions = catalog.current()
    _seen = _Seen(definitions, began)
    return definitions


def recent() -> Catalog | None:
    """The definitions, if they were seen within `KNOWN_FOR_S`."""
    found = _seen
    return found.definitions if found and time.monotonic() - found.at < KNOWN_FOR_S else None


def forget() -> None:
    """Begin anew: the next reader asks the database."""
    global _seen
    _seen = None
