"""Holes in ownership: where a failure would find nobody. Reads only; what a hole means for a ticket is decided in `ownership.owners`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from ownership import matrix, owners
from ownership.enums import GapKind
from ownership.matrix import Cell
from ownership.models import Team, User


@dataclass(frozen=True)
class Gap:
    """`what` is missing in one sentence, `remedy` how to close it; `flow` or `team` says where."""

    kind: GapKind
    what: str
    remedy: str
    flow: str = ""
    role: str = ""
    team: str = ""


def find(flows: Collection[str]) -> list[Gap]:
    """Of these flows and of every team. Three queries."""
    return [*of_flows(flows), *of_teams()]


def of_flows(flows: Collection[str]) -> list[Gap]:
    """Two queries, none without flows."""
    return of_cells(matrix.of_flows(flows)) if flows else []


def of_cells(cells: dict[str, list[Cell]]) -> list[Gap]:
    return [gap for row in cells.values() for cell in row if (gap := _of_cell(cell))]


def of_teams() -> list[Gap]:
    """One query."""
    members = Count("members", filter=Q(members__is_active=True))
    teams: Sequence[Team] = list(
        Team.objects.select_related("on_call__delegate").annotate(present=members).order_by("title")
    )
    return [*_empty(teams), *_without_on_call(teams)]


def _of_cell(cell: Cell) -> Gap | None:
    if cell.row is None:
        remedy = f"Name one in the Owners definition of {cell.flow} and apply it."
        return Gap(GapKind.NO_OWNER, f"{cell.flow} has no {cell.label.lower()}.", remedy, cell.flow, cell.role.value)
    person = cell.row.person
    if person is None or owners.present(person) is not None:
        return None
    kind = GapKind.OWNER_AWAY if person.is_active else GapKind.OWNER_GONE
    what = f"{person}, {cell.label.lower()} of {cell.flow}, {_absence(person)}. {_meanwhile(cell)}"
    return Gap(kind, what, "Name a delegate for them, or another owner.", cell.flow, cell.role.value)


def _absence(person: User) -> str:
    if not person.is_active:
        return "has left (account deactivated)"
    until = f" until {person.out_until:%d %b %Y}" if person.out_until else ""
    return f"is away{until} and has no delegate who is there"


def _meanwhile(cell: Cell) -> str:
    if cell.answers is None:
        return "Nobody stands in."
    who = cell.answers.person or (f"the team {cell.answers.team}" if cell.answers.team else "nobody")
    return f"Meanwhile {who} answers."


def _empty(teams: Sequence[Team]) -> Iterator[Gap]:
    for team in teams:
        if not team.present:  # type: ignore[attr-defined]
            remedy = "Add members in its Team definition, or in the administration."
            yield Gap(
                GapKind.EMPTY_TEAM, f"{team.title} has nobody in it: its queue is nobody's.", remedy, team=team.name
            )


def _without_on_call(teams: Sequence[Team]) -> Iterator[Gap]:
    triage = next((team for team in teams if team.name == owners.TRIAGE_TEAM), None)
    remedy = f"Name `on_call` in the Team definition {owners.TRIAGE_TEAM}."
    if triage is None:
        yield Gap(GapKind.NO_ON_CALL, "There is no triage team: what nobody owns goes to the first admin.", remedy)
    elif owners.present(triage.on_call) is None:
        what = "Triage has no on-call who is there: what nobody owns goes to the first admin."
        yield Gap(GapKind.NO_ON_CALL, what, remedy, team=triage.name)
