"""May this person do that to this ticket or approval? Raises a sentence, which is also the disabled button's tooltip and the API's error.

Must not write. State is checked too, so that one call answers for a button; services check again under lock.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from exceptions import timeline
from exceptions.enums import ApprovalStatus, EntryKind, Resolution, TicketStatus
from exceptions.models import Approval, Ticket, TicketEntry
from meshline.kernel import actors
from meshline.kernel.errors import Conflict, Invalid
from meshline.kernel.permissions import deny
from ownership.enums import Role
from ownership.models import User
from ownership.permissions import Ability, abilities_of, check_user_can
from syncflows.engine import taking_back
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.enums import HoldReason

BY_HAND = (Resolution.CORRECTED, Resolution.DUPLICATE, Resolution.WRITTEN_OFF)


@dataclass(frozen=True)
class Decider:
    """What must be known of a person who decides: their teams, and the events whose payload they corrected."""

    user: User
    team_ids: frozenset[int]
    corrected_event_ids: frozenset[int]

    @classmethod
    def of(cls, user: User, *, event_ids: Collection[int]) -> Decider:
        """Three queries, whatever the number of events. A released event's correction is told by its lineage, under the person's name."""
        here = TicketEntry.objects.filter(
            ticket__event_id__in=event_ids, kind=EntryKind.CORRECTED, detail__by=user.public_id
        )
        facts = LineageFact.objects.filter(
            event_id__in=event_ids, kind=FactKind.CORRECTED, actor=str(actors.of(user))
        ).exclude(detail__changes=[])
        corrected = {
            number
            for rows in (here.values_list("ticket__event_id", flat=True), facts.values_list("event_id", flat=True))
            for number in rows
            if number
        }
        return cls(user, frozenset(user.teams.values_list("pk", flat=True)), frozenset(corrected))


def check_user_can_work(user: User, ticket: Ticket) -> None:
    """Comment, acknowledge, let wait."""
    check_user_can(user, Ability.WORK_TICKETS)
    timeline.check_live(ticket)


def check_user_can_assign(user: User, ticket: Ticket, to: User | None = None) -> None:
    check_user_can_work(user, ticket)
    if to is not None and Ability.WORK_TICKETS not in abilities_of(to):
        deny(
            f"{to} may not work on tickets (role {to.get_role_display()}{'' if to.is_active else ', deactivated'}). Choose somebody who may."
        )


def check_user_can_comment(user: User, ticket: Ticket) -> None:
    """Resolved tickets take comments too."""
    check_user_can(user, Ability.WORK_TICKETS)


def check_user_can_resolve(user: User, ticket: Ticket, resolution: str | None = None) -> None:
    """By hand only as corrected at the source, duplicate or written off, or accepted where no run waits; the other words are earned by acts."""
    check_user_can_work(user, ticket)
    if resolution is not None and resolution not in resolutions_by_hand(ticket):
        words = ", ".join(item.value for item in resolutions_by_hand(ticket))
        raise Invalid(
            f"{ticket.public_id} cannot be resolved by hand as {resolution!r}. By hand: {words}. Approve, accept or replay it for the others.",
            code="resolution_not_by_hand",
        )


def resolutions_by_hand(ticket: Ticket) -> tuple[Resolution, ...]:
    return BY_HAND if ticket.run_id and ticket.subject.startswith("run:") else (*BY_HAND, Resolution.ACCEPTED)


def check_user_can_reopen(user: User, ticket: Ticket) -> None:
    check_user_can(user, Ability.WORK_TICKETS)
    if ticket.status != TicketStatus.RESOLVED:
        raise Conflict(
            f"{ticket.public_id} is {ticket.get_status_display().lower()}; only a resolved ticket can be reopened.",
            code="ticket_live",
        )


def check_user_can_fix(user: User, ticket: Ticket) -> None:
    """Correct and replay: the ticket speaks of a run or a quarantined event."""
    check_user_can(user, Ability.FIX_AND_REPLAY)
    timeline.check_live(ticket)
    if not ticket.subject.startswith(("run:", "event:")):
        raise Invalid(
            f"{ticket.public_id} is about {ticket.subject}, which holds no record to replay. Resolve its cause instead.",
            code="nothing_to_replay",
        )


def check_user_can_take_back(user: User, ticket: Ticket) -> None:
    """Have what its run wrote taken back. One pair of eyes is enough: it makes less of the record, and says why."""
    check_user_can(user, Ability.FIX_AND_REPLAY)
    timeline.check_live(ticket)
    taking_back.check_can_be_taken_back(_half_done(ticket))


def check_user_can_keep(user: User, ticket: Ticket) -> None:
    """Accept half a record as it stands."""
    check_user_can(user, Ability.ACCEPT_EXCEPTIONS)
    timeline.check_live(ticket)
    taking_back.check_can_be_taken_back(_half_done(ticket))


def _half_done(ticket: Ticket) -> Run:
    if ticket.run is None or not ticket.subject.startswith("run:"):
        raise Conflict(
            f"{ticket.public_id} is about {ticket.subject}, which has written nothing.", code="nothing_written"
        )
    return ticket.run


def check_user_can_accept(user: User, ticket: Ticket) -> None:
    """Accept what a policy holds. What needs an approval is decided there, by four eyes."""
    check_user_can(user, Ability.ACCEPT_EXCEPTIONS)
    timeline.check_live(ticket)
    run = ticket.run
    if run is not None and run.status == RunStatus.HELD and run.hold_reason == HoldReason.APPROVAL:
        raise Conflict(
            f"{ticket.public_id} needs an approval. Decide its approval instead of accepting it.", code="needs_approval"
        )
    if (
        run is None
        or run.status != RunStatus.HELD
        or run.hold_reason != HoldReason.ACCEPTANCE
        or "verdict" not in ticket.context
    ):
        raise Conflict(
            f"{ticket.public_id} does not wait for acceptance. Correct and replay it, or resolve it.",
            code="not_acceptable",
        )


def check_user_can_decide(user: User, approval: Approval, *, decider: Decider | None = None) -> None:
    """Four eyes: a member of the approving team (or an admin) who neither asked for it nor corrected the record."""
    check_user_can(user, Ability.DECIDE_APPROVALS)
    if approval.status != ApprovalStatus.PENDING:
        raise Conflict(
            f"{approval.public_id} is decided already: {approval.get_status_display()}. Reload to see by whom.",
            code="already_decided",
        )
    facts = decider or Decider.of(user, event_ids=[approval.run.event_id])
    if approval.team_id not in facts.team_ids and not (user.is_superuser or user.role == Role.ADMIN):
        deny(
            f"{approval.public_id} is decided by {approval.team}, and you are not a member. Ask one of them.",
            code="not_in_team",
        )
    if asked_by(approval.requester, user):
        deny(
            f"{approval.public_id} was asked for by {approval.requester}, which is you. Somebody else of {approval.team} must decide.",
            code="four_eyes",
        )
    if approval.run.event_id in facts.corrected_event_ids:
        deny(
            f"You corrected the record behind {approval.public_id}. Somebody else of {approval.team} must decide.",
            code="four_eyes",
        )


def asked_by(requester: str, user: User) -> bool:
    """Whether the source's name of who asked means this person: username, mail address or full name, whatever the case."""
    asked = _folded(requester)
    return bool(asked) and asked in {
        _folded(name) for name in (user.username, user.email, user.get_full_name(), user.public_id)
    }


def _folded(name: str) -> str:
    return " ".join((name or "").split()).casefold()
