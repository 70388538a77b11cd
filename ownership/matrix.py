"""The ownership matrix as people read it: every flow, its four roles, who answers now, and who stands behind. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from ownership import owners
from ownership.enums import OwnerRole
from ownership.models import FlowOwner
from ownership.owners import Owner

CSV_HEADER = ("flow", "role", "owner", "team", "fallback", "answers now", "found as")


@dataclass(frozen=True)
class Cell:
    """One role of one flow. `row` None: a gap. `answers` None: nobody is there."""

    flow: str
    role: OwnerRole
    row: FlowOwner | None
    answers: Owner | None

    @property
    def label(self) -> str:
        return str(self.role.label)

    @property
    def stands_in(self) -> str:
        """Who answers in place of the person named, and as what."""
        if self.row is None or self.answers is None or self.answers.person in (None, self.row.person):
            return ""
        return f"{self.answers.person} answers now ({self.answers.how})"


def of_flows(flows: Collection[str]) -> dict[str, list[Cell]]:
    """The four cells of each flow, in the order of the roles. Two queries."""
    related = ("person__delegate", "team", "fallback__delegate")
    rows = {(row.flow, row.role): row for row in FlowOwner.objects.select_related(*related).filter(flow__in=flows)}
    answering = owners.of_flows(flows)
    return {
        flow: [Cell(flow, role, rows.get((flow, role.value)), answering.get((flow, role.value))) for role in OwnerRole]
        for flow in flows
    }


def csv_rows(cells: dict[str, list[Cell]]) -> Iterator[tuple[Any, ...]]:
    for flow, row in cells.items():
        for cell in row:
            named = cell.row
            answers = cell.answers.person or cell.answers.team if cell.answers else "nobody"
            how = cell.answers.how if cell.answers else ""
            people = (named.person, named.team, named.fallback) if named else (None, None, None)
            yield (flow, cell.label, *people, answers, how)
