"""A replay as rows: the job that a person asked for, and one item for each record. Written by `engine.replays.jobs` and `engine.replays.carrying`."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from meshline.kernel import ids, jsontext
from syncflows.engine.replays.enums import ReplayOutcome, ReplayStatus, ReplayVerdict, Versions


class ReplayJob(models.Model):
    """What is run again, how, why and for whom. Status is written by `kernel.transitions` only.

    Invariants: the items are the selection as it was evaluated when the preview began; nothing is run before a preview; who may not correct and
    replay makes none.
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("rpl"), editable=False)
    status = models.CharField(max_length=12, choices=ReplayStatus, default=ReplayStatus.DRAFT)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="replays")
    reason = models.TextField(help_text="why; becomes part of each record's lineage")
    selection = models.JSONField(help_text="ids: runs or events; or filter: names and values; or job and outcomes")
    versions = models.CharField(max_length=8, choices=Versions, default=Versions.CURRENT)
    from_step = models.CharField(max_length=80, blank=True, help_text="empty: from the start")
    correction = models.JSONField(
        null=True, encoder=jsontext.ExactEncoder, help_text="kind and document; null: payloads as they are"
    )
    looks = models.BooleanField(default=True, help_text="whether the preview asks the target what it holds now")
    per_second = models.PositiveIntegerField(default=10, help_text="records started a second, at most")
    total = models.PositiveIntegerField(default=0, help_text="items")
    problem = models.TextField(blank=True, help_text="why it could not go on")
    made_at = models.DateTimeField(auto_now_add=True)
    evaluated_at = models.DateTimeField(null=True, blank=True, help_text="when the selection was evaluated")
    previewed_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True, help_text="up to when the pace is used up")
    ended_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True, help_text="last sign of life of the worker that previews")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "engine"
        indexes = [
            models.Index(
                fields=["id"], condition=Q(status__in=["previewing", "running"]), name="replay_working"
            ),  # reader: sweeper
        ]

    def __str__(self) -> str:
        return self.public_id


class ReplayItem(models.Model):
    """One record of a job: what a replay would do to it, and what became of it.

    `run` has no constraint: what is archived may leave its preview behind. Order within a job is by id.
    """

    job = models.ForeignKey(ReplayJob, on_delete=models.CASCADE, related_name="items")
    run = models.ForeignKey(
        "engine.Run", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="replay_items"
    )
    verdict = models.CharField(max_length=14, choices=ReplayVerdict, blank=True, help_text="empty: not previewed yet")
    verdict_reason = models.TextField(blank=True)
    detail = models.JSONField(
        default=dict, encoder=jsontext.ExactEncoder, help_text="class and reason, the newer run, the versions used"
    )
    canonical = models.JSONField(null=True, encoder=jsontext.ExactEncoder, help_text="the canonical object")
    steps = models.JSONField(
        default=list,
        encoder=jsontext.ExactEncoder,
        help_text="each step's effect, document and difference to the target",
    )
    fingerprint = models.CharField(max_length=64, blank=True, help_text="of what would be written")
    outcome = models.CharField(max_length=10, choices=ReplayOutcome, default=ReplayOutcome.WAITING)
    outcome_reason = models.TextField(blank=True)
    begun_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "engine"
        constraints = [models.UniqueConstraint(fields=["job", "run"], name="one_item_per_job_and_run")]
        indexes = [
            models.Index(fields=["job", "id"], name="replay_items"),  # reader: pages, preview
            models.Index(fields=["job", "outcome", "id"], name="replay_by_outcome"),  # reader: carrying, counts
            models.Index(fields=["job", "verdict", "id"], name="replay_by_verdict"),  # reader: preview, counts
            models.Index(fields=["job"], condition=Q(outcome="under_way"), name="replay_under_way"),  # reader: sweeper
        ]

    def __str__(self) -> str:
        return f"item {self.pk} of replay {self.job_id}"
