"""Which person and which team a routing decision means now: away people, gaps of the ownership matrix, on-call.

The directory is read once per batch, in a constant number of queries; this module writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from exceptions import routing
from exceptions.routing import Decision, TableRow
from ownership import owners
from ownership.enums import OwnerRole
from ownership.models import Team, User
from ownership.owners import Owner
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from syncflows.hooks import Failure

BECAUSE_LENGTH = 300


@dataclass(frozen=True)
class Assigned:
    """`owner` None: whoever of the queue takes it. `triaged`: nobody owned it, so triage does."""

    queue: Team
    owner: User | None
    because: str
    triaged: bool
    decision: Decision


@dataclass(frozen=True)
class Directory:
    """Everything that routing asks, as of one moment."""

    rows: list[TableRow]
    flow_of_system: dict[str, str]
    matrix: dict[tuple[str, str], Owner]
    teams: dict[str, Team]
    people: dict[str, User]
    team_of_person: dict[int, Team]
    triage: Owner

    def assign(self, failure: Failure) -> Assigned:
        """Queue, owner and the sentence that says why."""
        decision = routing.decide(self.rows, failure)
        named = self.teams.get(decision.queue)
        found: Owner | None
        flow = failure.flow or self.flow_of_system.get(failure.system, "")
        if decision.owner == routing.POOL:
            found, gap = Owner(None, named, "the team's pool"), ""
        elif decision.owner.startswith(routing.PERSON):
            found, gap = self._person(decision.owner.removeprefix(routing.PERSON))
        else:
            found, gap = self._role(flow, OwnerRole(decision.owner))
        return self._settle(decision, named, found, gap)

    def on_call(self, team: Team | None) -> User | None:
        return owners.present(team.on_call) if team else None

    def _person(self, username: str) -> tuple[Owner | None, str]:
        person = self.people.get(username)
        found = owners.present(person)
        if found is None:
            return None, f"{username} is away" if person else f"there is no {username}"
        return Owner(found, None, "named by the rule" if found == person else f"delegate of {person}"), ""

    def _role(self, flow: str, role: OwnerRole) -> tuple[Owner | None, str]:
        found = self.matrix.get((flow, role))
        if found is None:
            return None, f"{flow or 'no flow'} has no {role.label.lower()}"
        person = found.person or self.on_call(found.team)
        return Owner(person, found.team, f"{found.how} of {flow}"), ""

    def _settle(self, decision: Decision, named: Team | None, found: Owner | None, gap: str) -> Assigned:
        notes = [*decision.problems, decision.because]
        if decision.queue and named is None:
            notes.append(f"there is no team {decision.queue}")
        if found is not None and (named or found.team or found.person):
            notes.append(found.how)
            queue = named or found.team or self._team_of(found.person)
            return Assigned(queue, found.person, _sentence(notes), False, decision)
        on_call = self.on_call(named)
        notes += [gap] if gap else []
        notes.append(f"on-call of {named}" if named and on_call else self.triage.how)
        assert self.triage.team is not None
        return Assigned(named or self.triage.team, on_call or self.triage.person, _sentence(notes), True, decision)

    def _team_of(self, person: User | None) -> Team:
        assert self.triage.team is not None
        return self.team_of_person.get(person.pk, self.triage.team) if person else self.triage.team


def directory(failures: Collection[Failure]) -> Directory:
    """Read what these failures may need: one query each for definitions, teams, owners, named people, memberships; triage."""
    current = catalog.current()
    rows = routing.table((found.name, found.spec) for found in current.all(Kind.ROUTE))
    flow_of_system = _flows_of_systems(current)
    flows = {failure.flow or flow_of_system.get(failure.system, "") for failure in failures}
    teams = {team.name: team for team in Team.objects.select_related("on_call__delegate").order_by("name")}
    matrix = owners.of_flows(flows - {""})
    people = _people(rows)
    answering = {owner.person.pk for owner in matrix.values() if owner.person and not owner.team} | {
        user.pk for user in people.values()
    }
    return Directory(rows, flow_of_system, matrix, teams, people, _teams_of(answering, teams.values()), owners.triage())


def _people(rows: Iterable[TableRow]) -> dict[str, User]:
    names = {row.rule.owner.removeprefix(routing.PERSON) for row in rows if row.rule.owner.startswith(routing.PERSON)}
    return (
        {user.username: user for user in User.objects.select_related("delegate").filter(username__in=names)}
        if names
        else {}
    )


def _teams_of(user_ids: Collection[int], teams: Iterable[Team]) -> dict[int, Team]:
    by_id = {team.pk: team for team in teams}
    pairs = (
        Team.members.through.objects.filter(user_id__in=user_ids)
        .order_by("-team__name")
        .values_list("user_id", "team_id")
        if user_ids
        else ()
    )
    return {user_id: by_id[team_id] for user_id, team_id in pairs if team_id in by_id}


def _flows_of_systems(current: catalog.Catalog) -> dict[str, str]:
    """For failures that know only a system: the first flow, by name, that reads or writes it."""
    found: dict[str, str] = {}
    contracts = {contract.name: contract.spec.system for contract in current.all(Kind.CONTRACT)}
    for flow in current.all(Kind.FLOW):
        for system in (contracts.get(flow.spec.trigger.contract, ""), *(step.system for step in flow.spec.steps)):
            found.setdefault(system, flow.name)
    found.pop("", None)
    return found


def _sentence(notes: list[str]) -> str:
    text = "; ".join(notes)
    return (
        text[:1].upper() + text[1 : BECAUSE_LENGTH - 1] + "."
        if len(text) < BECAUSE_LENGTH
        else text[:1].upper() + text[1 : BECAUSE_LENGTH - 1] + "…"
    )
