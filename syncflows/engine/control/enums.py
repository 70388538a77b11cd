"""Acts on runs. Values are permanent."""

from django.db.models import TextChoices


class RunAct(TextChoices):
    RETRY_NOW = "retry_now", "Retry now"
    PAUSE = "pause", "Pause"
    RESUME = "resume", "Resume"
    SKIP = "skip", "Skip the failed step"
    GIVE_UP = "give_up", "Give up"


NEEDS_REASON = (RunAct.PAUSE, RunAct.SKIP, RunAct.GIVE_UP)
