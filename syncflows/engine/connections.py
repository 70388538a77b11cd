"""This process's connectors, one per system and version of its definition."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from syncflows.connectors import registry
from syncflows.connectors.protocol import Connector
from syncflows.governance.catalog import Versioned

# A call that began on the old connector may still be under way: read time-outs go up to ten minutes.
GRACE_S = 660.0


@dataclass
class _Held:
    fingerprint: str
    connector: Connector


_lock = threading.Lock()
_held: dict[str, _Held] = {}
_retired: list[tuple[float, Connector]] = []


def connection(system: Versioned) -> Connector:
    """The connector of this version of a system, made on first use. Replaced ones are closed once no call can still be using them.

    Raises Misconfigured.
    """
    with _lock:
        found = _held.get(system.name)
        if found is None or found.fingerprint != system.fingerprint:
            made = registry.build(
                system.spec.connector, name=system.name, spec=system.spec.model_dump(mode="json", by_alias=True)
            )
            if found is not None:
                _retired.append((time.monotonic() + GRACE_S, found.connector))
            found = _held[system.name] = _Held(system.fingerprint, made)
        _close_retired(time.monotonic())
        return found.connector


def close_all() -> None:
    """Let go of every connector at once, when no call is under way: at the end of a process or a test."""
    with _lock:
        for held in _held.values():
            held.connector.close()
        _held.clear()
        _close_retired(float("inf"))


def _close_retired(now: float) -> None:
    due = [connector for at, connector in _retired if at <= now]
    _retired[:] = [(at, connector) for at, connector in _retired if at > now]
    for connector in due:
        connector.close()
