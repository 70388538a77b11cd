"""People's word on a system: pause, resume, open or close its circuit by hand. What the engine finds out by itself is `engine.limits`."""

from __future__ import annotations

from django.db import transaction

from meshline.kernel.actors import Actor
from ownership.enums import Circuit, SystemState
from syncflows.engine.enums import CircuitEvent
from syncflows.engine.limits import circuit, meter, policy
from syncflows.engine.limits.decisions import Decision, Standing
from syncflows.engine.limits.waking import waits_for
from syncflows.governance import catalog
from syncflows.governance.enums import Kind

__all__ = ["close", "open_circuit", "pause", "resume", "waits_for"]


def pause(name: str, *, reason: str, actor: Actor | str) -> None:
    """A person stops writes to a system until a person resumes them. Idempotent: on the system."""
    decision = Decision(Standing(Circuit.CLOSED), reason=f"{reason} ({actor})")
    circuit.set_by_person(name, decision, event=CircuitEvent.PAUSED, by=actor, state=SystemState.PAUSED)


def resume(name: str, *, reason: str = "", actor: Actor | str = "") -> None:
    """A person lets writes go on; the first calls show whether the system is well. Idempotent: on the system."""
    _close(name, CircuitEvent.RESUMED, reason, actor)


def open_circuit(name: str, *, reason: str, actor: Actor | str, for_s: float) -> None:
    """A person stops calls for a time; after it one real item tries, as after an outage. Seconds."""
    decision = Decision(Standing(Circuit.OPEN), reason=f"{reason} ({actor})", wait_s=for_s)
    circuit.set_by_person(name, decision, event=CircuitEvent.OPENED, by=actor)


def close(name: str, *, reason: str, actor: Actor | str) -> None:
    """A person lets calls go on at once, whatever the circuit says. It opens again if they fail."""
    _close(name, CircuitEvent.CLOSED, reason, actor)


def _close(name: str, event: CircuitEvent, reason: str, actor: Actor | str) -> None:
    circuit.set_by_person(name, Decision(Standing(Circuit.CLOSED), reason=reason), event=event, by=actor)
    definition = catalog.current().by_kind.get(Kind.SYSTEM, {}).get(name)
    if definition is not None:
        rules = policy.of(definition)
        transaction.on_commit(lambda: meter.forget(rules))
