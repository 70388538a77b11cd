"""The soft ledger's rows: staged documents, the imports they came with, and acts on many of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from meshline.kernel import ids, jsontext
from syncflows.engine.enums import LIVE_STAGED, BulkState, GateState, StagedAction, StagedStatus, StagedVerdict

AMOUNT: dict[str, Any] = {"max_digits": 36, "decimal_places": 12}


class StagedBatch(models.Model):
    """One import whose writes are all staged. Written by `soft.batches`. Invariant: one row per label; `importers` never shrinks."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("imp"), editable=False)
    label = models.CharField(max_length=80, unique=True)
    importers = models.JSONField(default=list, help_text="public ids of the people who imported; they may not approve")
    imported_by = models.CharField(max_length=200, help_text="who began it")
    began_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.label


class StagedDocument(models.Model):
    """One planned write that waits. Written by `soft.ledger` and `soft.acts`; status by `kernel.transitions`.

    Invariants: one live row per idempotency key; document and fingerprint never change (other content is another row); an approval counts only
    for the fingerprint it was given for; a row that is not live says why in `status_reason`.
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("stg"), editable=False)
    # Without a constraint in the database, as the runs' table is kept in monthly parts.
    run = models.ForeignKey("engine.Run", on_delete=models.PROTECT, related_name="staged", db_constraint=False)
    flow = models.CharField(max_length=80)
    step_index = models.PositiveSmallIntegerField()
    step = models.CharField(max_length=80)
    system = models.CharField(max_length=80)
    operation = models.CharField(max_length=80)
    reference = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=120)
    document = models.JSONField(encoder=jsontext.ExactEncoder)
    fingerprint = models.CharField(max_length=64, help_text="of system, operation, reference and document")
    status = models.CharField(max_length=12, choices=StagedStatus, default=StagedStatus.STAGED)
    status_reason = models.TextField(blank=True, help_text="a sentence: why it is where it is")
    canonical_key = models.CharField(max_length=200)
    customer = models.CharField(max_length=200, blank=True)
    amount = models.DecimalField(null=True, blank=True, **AMOUNT)
    currency = models.CharField(max_length=3, blank=True)
    business_date = models.DateField(null=True, blank=True)
    requester = models.CharField(max_length=200, blank=True, help_text="who asked, as the source names them")
    batch = models.CharField(max_length=80, blank=True, help_text="label of the staged import; empty: the flow stages")
    staged_at = models.DateTimeField()
    verdict = models.CharField(max_length=10, choices=StagedVerdict, blank=True, help_text="of the last comparison")
    verdict_at = models.DateTimeField(null=True, blank=True)
    difference = models.JSONField(default=list, encoder=jsontext.ExactEncoder, help_text="fields that differ")
    external_id = models.CharField(max_length=200, blank=True, help_text="the target's id of it, once known")
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_fingerprint = models.CharField(max_length=64, blank=True)
    approval_reason = models.TextField(blank=True)
    gate_state = models.CharField(max_length=8, choices=GateState, default=GateState.BY_HAND)
    gate_reason = models.TextField(blank=True, help_text="what each gate says")
    gate_due_at = models.DateTimeField(null=True, blank=True, help_text="when the gates are asked next")
    decision = models.CharField(max_length=8, choices=StagedAction, blank=True, help_text="promote, adopt or revoke")
    decided_by = models.CharField(max_length=200, blank=True, help_text="who or what promoted, adopted or revoked it")
    decided_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords(
        excluded_fields=[
            "document", "verdict", "verdict_at", "difference", "gate_state", "gate_reason", "gate_due_at"
        ]
    )  # fmt: skip

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_key"],
                condition=Q(status__in=[status.value for status in LIVE_STAGED]),
                name="one_live_staged_document",
            ),
            models.CheckConstraint(
                condition=Q(approved_at__isnull=True) | Q(approved_by__isnull=False) & ~Q(approved_fingerprint=""),
                name="staged_approval_has_a_person",
            ),
        ]
        indexes = [
            models.Index(fields=["run", "step_index"], name="staged_of_run"),  # reader: ledger, trace
            models.Index(fields=["batch", "status", "id"], name="staged_of_batch"),  # reader: list, bulk acts
            models.Index(fields=["status", "flow", "id"], name="staged_by_flow"),  # reader: list
            models.Index(
                fields=["gate_due_at"], condition=Q(status="staged", gate_due_at__isnull=False), name="staged_gate_due"
            ),  # reader: sweeper
            models.Index(fields=["id"], condition=Q(status="promoting"), name="staged_promoting"),  # reader: sweeper
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.reference}"


class StagedBulk(models.Model):
    """One act on many staged documents: chosen, previewed, asked for with a reason, carried out by workers. Written by `soft.bulk`.

    Invariants: its documents are fixed when it is made; nothing is done before `asked_at`; one worker at a time carries it (`beat_at`).
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("sbk"), editable=False)
    action = models.CharField(max_length=8, choices=StagedAction)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    total = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(auto_now_add=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True, help_text="last sign of life of the worker that carries it")
    ended_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=200, blank=True)
    problem = models.TextField(blank=True, help_text="why it could not be carried out as a whole")

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(ended_at=None, asked_at__isnull=False), name="staged_bulk_open")
        ]  # reader: sweeper

    def __str__(self) -> str:
        return f"{self.public_id}: {self.get_action_display()}"


class StagedBulkItem(models.Model):
    """What became of one document in a bulk act. Written by `soft.bulk`."""

    bulk = models.ForeignKey(StagedBulk, on_delete=models.CASCADE, related_name="items")
    document = models.ForeignKey(StagedDocument, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=BulkState, default=BulkState.WAITING)
    code = models.CharField(max_length=60, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bulk", "document"], name="one_item_per_document")]
        indexes = [
            models.Index(fields=["bulk", "state", "id"], name="staged_item_state")
        ]  # reader: what is left, results
