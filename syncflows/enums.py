"""The exception taxonomy (stable codes). A failure has exactly one class and one reason."""

from django.db.models import TextChoices


class ExceptionClass(TextChoices):
    TRANSIENT = "transient", "Transient"
    OUTAGE = "outage", "Outage"
    DATA_QUALITY = "data_quality", "Data quality"
    IDENTITY = "identity", "Identity"
    POLICY = "policy", "Policy"
    DUPLICATE = "duplicate", "Duplicate"
    PARTIAL = "partial", "Partial"
    DRIFT = "drift", "Drift"
    SILENCE = "silence", "Silence"
    ACCOUNTING = "accounting", "Accounting"
    INTERNAL = "internal", "Internal"


class Severity(TextChoices):
    SOFT = "soft", "Soft"
    HARD = "hard", "Hard"


class Verdict(TextChoices):
    """What a policy rule says of a record."""

    ALLOW = "allow", "Allowed"
    NEEDS_APPROVAL = "needs_approval", "Needs approval"
    HOLD = "hold", "Held until a person accepts it"
    REFUSE = "refuse", "Refused"


class HoldReason(TextChoices):
    """Why a run waits on purpose."""

    APPROVAL = "approval", "Waiting for an approval"
    ACCEPTANCE = "acceptance", "Waiting for a person to accept it"
    DEPENDENCY = "dependency", "Waiting for another record"
    PAUSED = "paused", "Paused by a person"
    STAGED = "staged", "Staged in the soft ledger"
    FLOW_OFF = "flow_off", "Its flow is switched off"
