"""Which role may do what. Checks raise NotAllowed with a sentence; the sentence is also the disabled button's tooltip and the API's error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import TextChoices

from meshline.kernel.permissions import deny
from ownership.enums import Role


class Ability(TextChoices):
    """What can be asked of a person. Values are permanent."""

    WORK_TICKETS = "work_tickets", "work on tickets"
    FIX_AND_REPLAY = "fix_and_replay", "correct and replay records"
    CONTROL_RUNS = "control_runs", "retry, pause, skip and give up runs, and route events"
    ACCEPT_EXCEPTIONS = "accept_exceptions", "accept prices and other policy exceptions"
    DECIDE_APPROVALS = "decide_approvals", "decide approvals"
    RECONCILE = "reconcile", "start a reconciliation and resolve its discrepancies"
    CHANGE_DEFINITIONS = "change_definitions", "change flows, policies, routes and owners"
    OPERATE_SYSTEMS = "operate_systems", "pause and resume systems, open and close their circuits"
    PROMOTE_STAGED = "promote_staged", "promote, adopt and revoke staged documents"
    ADMINISTER = "administer", "use the administration"


OPERATIONS = frozenset(
    {
        Ability.WORK_TICKETS,
        Ability.FIX_AND_REPLAY,
        Ability.CONTROL_RUNS,
        Ability.ACCEPT_EXCEPTIONS,
        Ability.RECONCILE,
        Ability.PROMOTE_STAGED,
    }
)
ABILITIES: dict[str, frozenset[Ability]] = {
    Role.FINANCE_OPS: OPERATIONS,
    Role.SALES_LEADER: frozenset({Ability.DECIDE_APPROVALS, Ability.WORK_TICKETS}),
    Role.FLOW_OWNER: OPERATIONS | {Ability.CHANGE_DEFINITIONS, Ability.OPERATE_SYSTEMS, Ability.DECIDE_APPROVALS},
    Role.ADMIN: frozenset(Ability),
    Role.AUDITOR: frozenset(),
    Role.SERVICE: OPERATIONS | {Ability.DECIDE_APPROVALS, Ability.OPERATE_SYSTEMS},
}


def abilities_of(user: Any) -> frozenset[Ability]:
    """What this person may do; nothing when logged out or inactive."""
    if not getattr(user, "is_active", False) or not getattr(user, "is_authenticated", False):
        return frozenset()
    return frozenset(Ability) if user.is_superuser else ABILITIES.get(user.role, frozenset())


def check_user_can(user: Any, ability: Ability) -> None:
    """Raises NotAllowed, naming the roles that may."""
    if ability not in abilities_of(user):
        may = ", ".join(_roles_with(ability))
        deny(f"Your role may not {ability.label}. It takes one of: {may}.", ability=ability.value)


def _roles_with(ability: Ability) -> Iterable[str]:
    return [
        str(Role(role).label) for role, abilities in ABILITIES.items() if ability in abilities and role != Role.SERVICE
    ]
