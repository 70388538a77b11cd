from exceptions.enums import LIVE, ApprovalStatus, TicketStatus
from exceptions.machines import APPROVAL, TICKET


def test_machines_cover_their_enums() -> None:
    assert set(TICKET.arrows) == set(TicketStatus)
    assert set(APPROVAL.arrows) == set(ApprovalStatus)


def test_every_live_ticket_can_be_resolved_and_a_refusal_is_final() -> None:
    assert all(TicketStatus.RESOLVED in TICKET.arrows[status] for status in LIVE)
    assert APPROVAL.arrows[ApprovalStatus.REFUSED] == set()
