"""Comparisons and what they found. Written by `reconciliation.runs`, `discrepancies` and `recheck`."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from meshline.kernel import ids, jsontext
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus, ReconciliationStatus
from syncflows.engine.models import AMOUNT


class ReconciliationRun(models.Model):
    """One comparison of a flow's canonical records with what its target says, in a window of business dates (both ends included)."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("rec"), editable=False)
    flow = models.CharField(max_length=80)
    system = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=ReconciliationStatus, default=ReconciliationStatus.RUNNING)
    window_from = models.DateField()
    window_to = models.DateField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    started_by = models.CharField(max_length=200)
    compared = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    missing_in_target = models.PositiveIntegerField(default=0)
    missing_in_source = models.PositiveIntegerField(default=0)
    differs = models.PositiveIntegerField(default=0)
    duplicate = models.PositiveIntegerField(default=0)
    tickets = models.PositiveIntegerField(default=0, help_text="opened or seen again")
    totals = models.JSONField(default=dict, encoder=jsontext.ExactEncoder, help_text="per currency: ours and theirs")
    problem = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["flow", "-started_at"], name="reconciliation_newest")]  # reader: runs page


class Discrepancy(models.Model):
    """One record on which both sides do not agree. Invariant: one open discrepancy per flow, key and kind; resolved only by a re-check."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("dis"), editable=False)
    flow = models.CharField(max_length=80)
    system = models.CharField(max_length=80)
    key = models.CharField(max_length=200, help_text="our reference")
    kind = models.CharField(max_length=20, choices=DiscrepancyKind)
    status = models.CharField(max_length=10, choices=DiscrepancyStatus, default=DiscrepancyStatus.OPEN)
    ours = models.JSONField(null=True, encoder=jsontext.ExactEncoder)
    theirs = models.JSONField(null=True, encoder=jsontext.ExactEncoder)
    fields = models.JSONField(
        default=list, encoder=jsontext.ExactEncoder, help_text="per differing field: name, ours, theirs, tolerance"
    )
    amount = models.DecimalField(null=True, blank=True, help_text="value in doubt", **AMOUNT)
    currency = models.CharField(max_length=3, blank=True)
    first_seen = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="first_found")
    last_seen = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="found")
    ticket = models.ForeignKey("exceptions.Ticket", null=True, on_delete=models.PROTECT, related_name="discrepancies")
    opened_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution_note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["flow", "key", "kind"], condition=Q(status="open"), name="one_open_discrepancy"
            )
        ]


class Sighting(models.Model):
    """That one comparison found one discrepancy, as which kind: the rows behind a comparison's counts. Written by `reconciliation.discrepancies`; never changed."""

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="sightings")
    discrepancy = models.ForeignKey(Discrepancy, on_delete=models.CASCADE, related_name="sightings")
    kind = models.CharField(max_length=20, choices=DiscrepancyKind)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "discrepancy"], name="one_sighting_per_run")]
