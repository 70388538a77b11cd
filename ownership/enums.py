"""States and kinds of ownership. Values are permanent."""

from django.db.models import TextChoices


class Role(TextChoices):
    """What a person does here; abilities by role are in `permissions.ABILITIES`."""

    FINANCE_OPS = "finance_ops", "Finance ops"
    SALES_LEADER = "sales_leader", "Sales leader"
    FLOW_OWNER = "flow_owner", "Flow owner"
    ADMIN = "admin", "Admin"
    AUDITOR = "auditor", "Auditor"
    SERVICE = "service", "Service (API)"


class OwnerRole(TextChoices):
    """The four owners of a flow."""

    SYNC = "sync_owner", "Sync owner (accountable)"
    SOURCE = "source_owner", "Source owner"
    SINK = "sink_owner", "Sink owner"
    PLATFORM = "platform_owner", "Platform owner"


class SystemState(TextChoices):
    """Whether the engine writes to a system."""

    UP = "up", "Up"
    DEGRADED = "degraded", "Degraded"
    DOWN = "down", "Down"
    PAUSED = "paused", "Paused by a person"


class Circuit(TextChoices):
    """Whether calls flow to a system. A system that is down has an open or a half-open circuit."""

    CLOSED = "closed", "Closed: calls are made"
    OPEN = "open", "Open: no call is made"
    HALF_OPEN = "half_open", "Half-open: one real item tries"


class GapKind(TextChoices):
    """Where ownership has a hole."""

    NO_OWNER = "no_owner", "No owner"
    OWNER_GONE = "owner_gone", "Owner has left"
    OWNER_AWAY = "owner_away", "Owner away, no delegate"
    EMPTY_TEAM = "empty_team", "Team without members"
    NO_ON_CALL = "no_on_call", "No on-call"


class Scope(TextChoices):
    """What an API token may do."""

    EVENTS_WRITE = "events:write", "Send events"
    EVENTS_READ = "events:read", "Read events, runs and lineage"
    RUNS_WRITE = "runs:write", "Retry, pause, resume, skip, give up and replay runs"
    FLOWS_READ = "flows:read", "Read flows and owners"
    SYSTEMS_WRITE = "systems:write", "Pause and resume systems, open and close their circuits"
    TICKETS_READ = "tickets:read", "Read tickets"
    TICKETS_WRITE = "tickets:write", "Comment, assign, fix, replay and resolve tickets"
    APPROVALS_READ = "approvals:read", "Read approvals"
    APPROVALS_DECIDE = "approvals:decide", "Decide approvals"
    RECONCILIATION_READ = "reconciliation:read", "Read reconciliation runs and discrepancies"
    RECONCILIATION_WRITE = "reconciliation:write", "Start and resolve reconciliation"
    STAGED_READ = "staged:read", "Read staged documents"
    STAGED_WRITE = "staged:write", "Promote, approve, adopt, revoke and compare staged documents"
