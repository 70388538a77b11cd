"""States of tickets and approvals. Values are permanent."""

from django.db.models import TextChoices


class TicketStatus(TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "In work"
    WAITING = "waiting", "Waiting"
    RESOLVED = "resolved", "Resolved"


class Resolution(TextChoices):
    REPLAYED = "replayed", "Replayed"
    CORRECTED = "corrected", "Corrected at the source"
    ACCEPTED = "accepted", "Accepted"
    APPROVED = "approved", "Approved"
    REFUSED = "refused", "Refused"
    SKIPPED = "skipped", "Failed step skipped"
    DUPLICATE = "duplicate", "Duplicate"
    WRITTEN_OFF = "written_off", "Written off"
    RECOVERED = "recovered", "Went on by itself"
    SUPERSEDED = "superseded", "Superseded by newer data"
    RECHECKED = "rechecked", "Proven by a re-check"
    COMPENSATED = "compensated", "Taken back"


class ApprovalStatus(TextChoices):
    PENDING = "pending", "Waiting for a decision"
    APPROVED = "approved", "Approved"
    REFUSED = "refused", "Refused"
    VOID = "void", "Void: changed since"


class Decision(TextChoices):
    """What is asked of who decides."""

    APPROVE = "approve", "Approve"
    REFUSE = "refuse", "Refuse"


class EntryKind(TextChoices):
    """What a line of a ticket's timeline is."""

    OPENED = "opened", "Opened"
    COMMENT = "comment", "Comment"
    ASSIGNED = "assigned", "Assigned"
    STATUS = "status", "Status"
    CORRECTED = "corrected", "Corrected"
    DECISION = "decision", "Decision"
    ESCALATED = "escalated", "Escalated"
    RECURRED = "recurred", "Happened again"
    RESOLVED = "resolved", "Resolved"


LIVE = (TicketStatus.OPEN, TicketStatus.ACKNOWLEDGED, TicketStatus.WAITING)


class BulkAction(TextChoices):
    """What can be done to many tickets or approvals at once."""

    GRANT = "grant", "Approve"
    REFUSE = "refuse", "Refuse"
    ACCEPT = "accept", "Accept"
    REPLAY = "replay", "Replay"
    ASSIGN = "assign", "Assign"
    ACKNOWLEDGE = "acknowledge", "Take in work"
    RESOLVE = "resolve", "Resolve"


class View(TextChoices):
    """The standing views of the queue."""

    MINE = "mine", "Mine"
    UNASSIGNED = "unassigned", "Unassigned"
    BREACHING = "breaching", "Breaching"
    MONEY = "money", "Money at risk"
    WAITING = "waiting", "Waiting"
    OPEN = "open", "All open"
    ALL = "all", "All"


ON_APPROVALS = (BulkAction.GRANT, BulkAction.REFUSE)
