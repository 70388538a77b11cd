"""Which status of tickets and approvals may follow which. `kernel.transitions.move` is the only writer."""

from exceptions.enums import ApprovalStatus as A
from exceptions.enums import TicketStatus as T
from meshline.kernel.transitions import Machine

TICKET = Machine(
    "ticket",
    {
        T.OPEN: {T.ACKNOWLEDGED, T.WAITING, T.RESOLVED},
        T.ACKNOWLEDGED: {T.OPEN, T.WAITING, T.RESOLVED},
        T.WAITING: {T.OPEN, T.ACKNOWLEDGED, T.RESOLVED},
        T.RESOLVED: {T.OPEN},
    },
    acts={
        T.RESOLVED: "ticket.resolved",
        T.ACKNOWLEDGED: "ticket.acknowledged",
        T.OPEN: "ticket.reopened",
        T.WAITING: "ticket.waiting",
    },
)
APPROVAL = Machine(
    "approval", {A.PENDING: {A.APPROVED, A.REFUSED, A.VOID}, A.APPROVED: {A.VOID}, A.REFUSED: set(), A.VOID: set()}
)
