"""States of replay jobs and of their items. Values are permanent."""

from django.db.models import TextChoices


class ReplayStatus(TextChoices):
    DRAFT = "draft", "Draft"
    PREVIEWING = "previewing", "Preview under way"
    PREVIEWED = "previewed", "Previewed"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class Versions(TextChoices):
    """Which definitions a replay uses."""

    CURRENT = "current", "The versions in force now"
    THEN = "then", "The versions that ran then"


class ReplayVerdict(TextChoices):
    """What a replay would do to one record, as things stand."""

    CREATE = "would_create", "Would create"
    UPDATE = "would_update", "Would update"
    NOTHING = "nothing_to_do", "Nothing to do"
    HELD = "would_be_held", "Would be held"
    FAIL = "would_fail", "Would fail"
    REFUSED = "refused", "Refused"


class ReplayOutcome(TextChoices):
    """What became of one record of a job that runs."""

    WAITING = "waiting", "Waiting its turn"
    UNDER_WAY = "under_way", "Under way"
    DONE = "done", "Done"
    HELD = "held", "Held"
    FAILED = "failed", "Failed, ticket open"
    CHANGED = "changed", "Changed since the preview"
    REFUSED = "refused", "Refused"
    SKIPPED = "skipped", "Not run"
    CANCELLED = "cancelled", "Cancelled"


class Correction(TextChoices):
    """How a payload is corrected."""

    MERGE = "merge", "JSON Merge Patch"
    EXPRESSIONS = "expressions", "Merge patch of expressions"
    PAYLOAD = "payload", "Whole payload"


WORKING = (ReplayStatus.PREVIEWING, ReplayStatus.RUNNING)
OVER = (ReplayStatus.DONE, ReplayStatus.CANCELLED)
RUNNABLE = (ReplayVerdict.CREATE, ReplayVerdict.UPDATE, ReplayVerdict.NOTHING, ReplayVerdict.HELD)
REST = (ReplayOutcome.FAILED, ReplayOutcome.CHANGED, ReplayOutcome.CANCELLED)
