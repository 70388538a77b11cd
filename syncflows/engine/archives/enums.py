"""Where a month is. Values are permanent."""

from django.db.models import TextChoices


class MonthStatus(TextChoices):
    LIVE = "live", "Live"
    FROZEN = "frozen", "Being archived"
    LEFT = "left", "Leaving the live tables"
    ARCHIVED = "archived", "Archived"
    DELETED = "deleted", "Archive deleted"


AWAY = (MonthStatus.LEFT, MonthStatus.ARCHIVED, MonthStatus.DELETED)
