"""States of events, runs, steps and write attempts. Values are permanent."""

from enum import StrEnum

from django.db.models import TextChoices


class EventStatus(TextChoices):
    ACCEPTED = "accepted", "Accepted"
    QUARANTINED = "quarantined", "Quarantined"
    UNROUTED = "unrouted", "No flow wants it"
    RELEASED = "released", "Released from quarantine"


class IngestOutcome(TextChoices):
    """What the door answers."""

    ACCEPTED = "accepted", "Accepted"
    DUPLICATE = "duplicate", "Known already"
    QUARANTINED = "quarantined", "Quarantined"


class RunStatus(TextChoices):
    PENDING = "pending", "Due"
    RUNNING = "running", "Running"
    RETRYING = "retrying", "Will retry"
    HELD = "held", "Held"
    FAILED = "failed", "Failed, ticket open"
    ERRORED = "errored", "Errored, ticket open"
    COMPLETED = "completed", "Completed"
    IGNORED = "ignored", "Ignored"
    SUPERSEDED = "superseded", "Superseded"
    CANCELLED = "cancelled", "Closed without outcome"
    COMPENSATED = "compensated", "Taken back"


class StepStatus(TextChoices):
    PLANNED = "planned", "Planned"
    INTENDED = "intended", "Intended"
    SENT = "sent", "Sent"
    UNKNOWN = "unknown", "Outcome unknown"
    DONE = "done", "Done"
    REJECTED = "rejected", "Rejected"
    SKIPPED = "skipped", "Skipped by a person"
    COMPENSATED = "compensated", "Taken back"


class AttemptStatus(TextChoices):
    INTENDED = "intended", "Intended"
    SENT = "sent", "Sent"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    REJECTED = "rejected", "Rejected"
    UNKNOWN = "unknown", "Outcome unknown"
    NOT_SENT = "not_sent", "Never sent"


class CircuitEvent(TextChoices):
    """What happened to the circuit of a system."""

    OPENED = "opened", "Opened"
    TRIED = "tried", "Half-open: one item tries"
    REOPENED = "reopened", "Opened again"
    CLOSED = "closed", "Closed"
    ASKED_TO_WAIT = "asked_to_wait", "Asked us to wait"
    PAUSED = "paused", "Paused by a person"
    RESUMED = "resumed", "Resumed by a person"


class SystemAct(TextChoices):
    """What a person does to a system."""

    PAUSE = "pause", "Pause"
    RESUME = "resume", "Resume"
    OPEN = "open", "Open the circuit"
    CLOSE = "close", "Close the circuit"


class Action(StrEnum):
    """What a call is for."""

    SEND = "send"
    PROBE = "probe"


class FactKind(TextChoices):
    """Kinds of lineage rows."""

    RECEIVED = "received", "Received"
    QUARANTINED = "quarantined", "Quarantined"
    UNROUTED = "unrouted", "No flow wants it"
    CONTRACT = "contract", "Contract"
    IGNORED = "ignored", "Ignored"
    SUPERSEDED = "superseded", "Superseded"
    CANONICAL = "canonical", "Canonical record"
    IDENTITY = "identity", "Identity"
    POLICY = "policy", "Policy"
    PLAN = "plan", "Plan"
    INTENDED = "intended", "Write intended"
    SENT = "sent", "Write sent"
    ANSWERED = "answered", "Answer"
    PROBED = "probed", "Probed"
    ADOPTED = "adopted", "Already done"
    RETRY = "retry", "Retry planned"
    HELD = "held", "Held"
    RELEASED = "released", "Released"
    RETRY_NOW = "retry_now", "Retried now"
    PAUSED = "paused", "Paused"
    RESUMED = "resumed", "Resumed"
    SKIPPED = "skipped", "Step skipped"
    FAILED = "failed", "Failed"
    ERRORED = "errored", "Errored"
    TICKET = "ticket", "Ticket"
    DECISION = "decision", "Decision"
    CORRECTED = "corrected", "Payload corrected"
    REPLAYED = "replayed", "Replay"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Closed"
    RECONCILED = "reconciled", "Reconciled"
    STAGED = "staged", "Staged"
    PROMOTED = "promoted", "Promoted"
    REVOKED = "revoked", "Revoked"
    GATE = "gate", "Gate"
    COMPENSATING = "compensating", "Being taken back"
    COMPENSATED = "compensated", "Taken back"


class StagedStatus(TextChoices):
    """Of a document in the soft ledger."""

    STAGED = "staged", "Staged"
    PROMOTING = "promoting", "Promoting"
    PROMOTED = "promoted", "Promoted"
    REVOKED = "revoked", "Revoked"
    SUPERSEDED = "superseded", "Superseded"
    REFUSED = "refused", "Refused"


class StagedVerdict(TextChoices):
    """What a comparison with the target says of a staged document."""

    MATCHED = "matched", "There already, and equal"
    MISSING = "missing", "Not there yet"
    DIFFERS = "differs", "There, but different"
    DUPLICATE = "duplicate", "There more than once"
    FOUND = "found", "There; content not compared"


class GateState(TextChoices):
    """How the gates of its flow stand."""

    BY_HAND = "by_hand", "By hand"
    WAITING = "waiting", "Waiting"
    SHUT = "shut", "Shut"
    OPEN = "open", "Open"


class GateKind(TextChoices):
    """What a gate asks."""

    RECONCILED = "reconciled", "Reconciled"
    APPROVED = "approved", "Approved"
    AGE = "age", "Age"


class StagedAction(TextChoices):
    """What can be done to staged documents."""

    PROMOTE = "promote", "Promote"
    ADOPT = "adopt", "Adopt"
    APPROVE = "approve", "Approve"
    REVOKE = "revoke", "Revoke"
    COMPARE = "compare", "Compare"


class BulkState(TextChoices):
    """Of one document in a bulk act."""

    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    LEFT = "left", "Left as it is"


DUE = (RunStatus.PENDING, RunStatus.RETRYING)
PARKED = (RunStatus.HELD, RunStatus.FAILED, RunStatus.ERRORED)
TERMINAL = (RunStatus.COMPLETED, RunStatus.IGNORED, RunStatus.SUPERSEDED, RunStatus.CANCELLED, RunStatus.COMPENSATED)
SETTLED = (StepStatus.DONE, StepStatus.SKIPPED, StepStatus.COMPENSATED)  # nothing is left to do for it
IN_FLIGHT = (StepStatus.INTENDED, StepStatus.SENT, StepStatus.UNKNOWN)
LIVE_STAGED = (StagedStatus.STAGED, StagedStatus.PROMOTING)
