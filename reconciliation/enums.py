"""States of reconciliation. Values are permanent."""

from django.db.models import TextChoices


class ReconciliationStatus(TextChoices):
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"


class DiscrepancyKind(TextChoices):
    MISSING_IN_TARGET = "missing_in_target", "Missing in the target"
    MISSING_IN_SOURCE = "missing_in_source", "Nothing of ours explains it"
    DIFFERS = "differs", "Fields differ"
    DUPLICATE = "duplicate", "More than once in the target"


class DiscrepancyStatus(TextChoices):
    OPEN = "open", "Open"
    RESOLVED = "resolved", "Resolved"
