"""Who answers for a flow: the ownership matrix, and who is there in place of somebody away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.utils import timezone

from ownership.enums import OwnerRole, Role
from ownership.models import FlowOwner, Team, User

TRIAGE_TEAM = "triage"


@dataclass(frozen=True)
class Owner:
    """`person` who answers now (None: the team's pool), `team` whose queue it is, `how` they were found."""

    person: User | None
    team: Team | None
    how: str


def of_flow(flow: str, role: OwnerRole) -> Owner | None:
    """The owner of a flow in a role, with delegate or fallback where the person is away; None where the matrix has a gap."""
    return of_flows([flow]).get((flow, role))


def of_flows(flows: Collection[str]) -> dict[tuple[str, str], Owner]:
    """The owners of several flows by (flow, role), in one query; a gap in the matrix has no entry."""
    cells = FlowOwner.objects.select_related("person__delegate", "team", "fallback__delegate").filter(flow__in=flows)
    owners = {(cell.flow, cell.role): _answering(cell) for cell in cells}
    return {place: owner for place, owner in owners.items() if owner}


def _answering(cell: FlowOwner) -> Owner | None:
    label = str(OwnerRole(cell.role).label)
    for person, how in ((cell.person, label), (cell.fallback, f"fallback of the {label.lower()}")):
        found = present(person)
        if found:
            return Owner(found, cell.team, how if found == person else f"{how}, by delegation")
    return Owner(None, cell.team, label) if cell.team else None


def present(person: User | None) -> User | None:
    """The person, or their delegate while they are away; None where neither is there."""
    if person is None:
        return None
    if person.is_active and not _away(person):
        return person
    delegate = person.delegate
    return delegate if delegate and delegate.is_active and not _away(delegate) else None


def triage() -> Owner:
    """The last resort: the triage team and its named on-call."""
    team = Team.objects.select_related("on_call__delegate").filter(name=TRIAGE_TEAM).first()
    if team is None:
        team, _ = Team.objects.get_or_create(name=TRIAGE_TEAM, defaults={"title": "Triage"})
    admin = User.objects.filter(is_active=True, role=Role.ADMIN).order_by("pk").first()
    return Owner(present(team.on_call) or admin, team, "triage on-call")


def _away(person: User) -> bool:
    return person.out_until is not None and person.out_until > timezone.now()
