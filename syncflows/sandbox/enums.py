"""The closed lists of the sandbox's three systems. Plain `StrEnum`: the sandbox runs without Django."""

from enum import StrEnum


class SystemName(StrEnum):
    CRM = "crm"
    ERP = "erp"
    DESK = "desk"


class Stage(StrEnum):
    PROSPECTING = "Prospecting"
    ENGAGING = "Engaging"
    WON = "Won"
    LOST = "Lost"


class QuoteStatus(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"


class OrderStatus(StrEnum):
    OPEN = "open"
    CANCELLED = "cancelled"


class InvoiceStatus(StrEnum):
    DRAFT = "draft"
    POSTED = "posted"
    CANCELLED = "cancelled"


class TicketStatus(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    SOLVED = "solved"
    CLOSED = "closed"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class EventType(StrEnum):
    ACCOUNT_CREATED = "crm.account.created"
    ACCOUNT_UPDATED = "crm.account.updated"
    OPPORTUNITY_CREATED = "crm.opportunity.created"
    OPPORTUNITY_UPDATED = "crm.opportunity.updated"
    QUOTE_APPROVED = "crm.quote.approved"
    TICKET_CREATED = "desk.ticket.created"
    TICKET_UPDATED = "desk.ticket.updated"


class WebhookState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    ABANDONED = "abandoned"


class FaultKind(StrEnum):
    LATENCY = "latency"
    STATUS = "status"
    STATUS_AFTER_COMMIT = "status_after_commit"
    TIMEOUT_AFTER_COMMIT = "timeout_after_commit"
    CUT_BEFORE_COMMIT = "cut_before_commit"
    CUT_AFTER_COMMIT = "cut_after_commit"
    RENAME_FIELD = "rename_field"
    EXPIRE_CREDENTIAL = "expire_credential"
    DUPLICATE_WEBHOOK = "duplicate_webhook"
    MALFORMED_WEBHOOK = "malformed_webhook"


BEFORE_COMMIT = frozenset({FaultKind.STATUS, FaultKind.CUT_BEFORE_COMMIT})
AFTER_COMMIT = frozenset({FaultKind.STATUS_AFTER_COMMIT, FaultKind.TIMEOUT_AFTER_COMMIT, FaultKind.CUT_AFTER_COMMIT})
