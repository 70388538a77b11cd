"""One act on many runs, as rows: chosen, previewed, asked for, carried out by a worker, with a result for each."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from meshline.kernel import ids
from syncflows.engine.control.enums import RunAct


class RunBulk(models.Model):
    """Written by `engine.control.bulk_jobs`.

    Invariants: the runs are fixed when it is made; nothing is done before `asked_at`, nor after `cancelled_at`; `results` says of each run done what
    became of it; one worker at a time carries it (`beat_at`), and another takes over where that one went silent.
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("rbk"), editable=False)
    action = models.CharField(max_length=12, choices=RunAct)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="run_bulks")
    idents = models.JSONField(help_text="public ids of the runs")
    restart_budget = models.BooleanField(default=False, help_text="for retry now")
    per_second = models.PositiveIntegerField(default=50, help_text="runs a second, at most")
    reason = models.TextField(blank=True)
    results = models.JSONField(default=list, help_text="of each run done: id, problem, code")
    made_at = models.DateTimeField(auto_now_add=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True, help_text="last sign of life of the worker that carries it")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text="why it could not be carried out as a whole")

    class Meta:
        app_label = "engine"
        verbose_name = "bulk act on runs"
        indexes = [
            models.Index(fields=["by", "made_at"], name="run_bulk_of_person"),  # reader: clearing of drafts
            models.Index(
                fields=["id"], condition=models.Q(asked_at__isnull=False, ended_at=None), name="run_bulk_working"
            ),  # reader: sweeper
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.get_action_display()}"
