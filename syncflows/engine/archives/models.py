"""What is known of each month that was ever archived."""

from __future__ import annotations

from django.db import models

from syncflows.engine.archives.enums import MonthStatus


class ArchivedMonth(models.Model):
    """One month and the archive it is in. Status is written by `kernel.transitions` only; the rest by `engine.archives`.

    Invariants: rows of a month that is not live cannot be changed (a trigger of its partitions refuses); what left the live tables is in files whose
    manifest has `manifest_sha256`.
    """

    label = models.CharField(max_length=7, unique=True, help_text="2026-08")
    first_key = models.BigIntegerField(help_text="its rows' numbers begin here; 0 for the first partition")
    past_key = models.BigIntegerField(help_text="and end before this one")
    status = models.CharField(max_length=8, choices=MonthStatus, default=MonthStatus.LIVE)
    archive = models.CharField(max_length=32, blank=True, help_text="the archive's own id, in its name and manifest")
    folder = models.TextField(blank=True, help_text="where its files are")
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    rows = models.JSONField(default=dict, help_text="table to rows in the archive")
    size_bytes = models.BigIntegerField(default=0, help_text="of the compressed files")
    archived_at = models.DateTimeField(null=True, blank=True)
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "engine"
        ordering = ["past_key"]

    def __str__(self) -> str:
        return self.label

    @property
    def public_id(self) -> str:
        return self.label
