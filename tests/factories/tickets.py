"""Tickets and approvals at a status, reached through the services."""

from __future__ import annotations

from typing import Any

from exceptions import tickets
from exceptions.models import Approval, Ticket
from ownership.models import Team, User
from syncflows.engine.models import Run
from syncflows.enums import HoldReason
from tests.factories import people, records


def ticket(found: Run | None = None, **values: Any) -> Ticket:
    """An open ticket about a failed run."""
    return tickets.open_all([records.failure(found or records.run(), **values)])[0]


def acceptable() -> Ticket:
    """A ticket about a price that a person may accept."""
    return tickets.open_all([records.held_price(records.held(HoldReason.ACCEPTANCE))])[0]


def approval(*members: User, requester: str = "", rule: str = "discount-cap", run: Run | None = None) -> Approval:
    """A pending approval, decided by a team of these members."""
    deciders = team_of(*members)
    found = run or records.held()
    tickets.open_all([records.asked(found, team=deciders.name, requester=requester, rule=rule)])
    return Approval.objects.select_related("run", "ticket", "team").get(run=found, rule=rule)


def team_of(*members: User) -> Team:
    return people.team("deal-desk", *members)
