"""What people do to a system: pause, resume, open or close its circuit. Each with a reason, a permission and an audit row in one transaction."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from meshline.audit import ledger
from meshline.kernel import actors
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Missing
from ownership.models import System
from ownership.permissions import Ability, check_user_can
from syncflows.engine import health
from syncflows.engine.enums import SystemAct

OPEN_FOR_S = 300.0
SAID = {
    SystemAct.PAUSE: "{} is paused. Runs wait for it; nothing is lost.",
    SystemAct.RESUME: "{} is resumed. What waited for it goes on within seconds.",
    SystemAct.OPEN: "The circuit of {} is open. Runs wait; one of them tries when the time is over.",
    SystemAct.CLOSE: "The circuit of {} is closed. What waited for it goes on, a few at first.",
}
DONE = {
    SystemAct.PAUSE: "system.paused",
    SystemAct.RESUME: "system.resumed",
    SystemAct.OPEN: "system.circuit_opened",
    SystemAct.CLOSE: "system.circuit_closed",
}


def act(name: str, what: SystemAct, *, reason: str, by: Any, for_s: float = OPEN_FOR_S) -> System:
    """Do it, and say so in the ledger; the system as it is then. `by`: a user; `for_s` how long an opened circuit stays open before one item tries.

    Raises NotAllowed, Missing. Idempotent: on the system. Locks: the system's row.
    """
    check_user_can(by, Ability.OPERATE_SYSTEMS)
    actor = actors.of(by)
    with transaction.atomic():
        find(name)
        _do(name, what, reason=reason, actor=actor, for_s=for_s)
        ledger.append(act=DONE[what], by=actor, object_kind="system", object_id=name, reason=reason)
    return find(name)


def find(name: str) -> System:
    """Raises Missing."""
    row = System.objects.filter(name=name).first()
    if row is None:
        raise Missing(f"There is no system {name}. Systems come from definitions: `manage.py flows apply DIR`.")
    return row


def _do(name: str, what: SystemAct, *, reason: str, actor: Actor, for_s: float) -> None:
    match what:
        case SystemAct.PAUSE:
            health.pause(name, reason=reason, actor=actor)
        case SystemAct.RESUME:
            health.resume(name, reason=reason, actor=actor)
        case SystemAct.OPEN:
            health.open_circuit(name, reason=reason, actor=actor, for_s=for_s)
        case SystemAct.CLOSE:
            health.close(name, reason=reason, actor=actor)
