"""Tickets with their clocks and timelines, and approvals bound to what was approved."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from exceptions.enums import LIVE, ApprovalStatus, BulkAction, EntryKind, Resolution, TicketStatus
from meshline.kernel import ids, jsontext
from syncflows.engine.models import AMOUNT
from syncflows.enums import ExceptionClass, Severity


class Ticket(models.Model):
    """A failure that is somebody's. Written by `exceptions.tickets`; status by `kernel.transitions.move`.

    Invariants: one live ticket per subject; exactly one class and one reason; a queue always, an owner whenever anybody could be found;
    a live ticket has a running clock (`due_at`); a resolved one says how, when and by whom.
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("tkt"), editable=False)
    subject = models.CharField(max_length=120, help_text="run:…, event:…, discrepancy:… or system:… that failed")
    # Without database constraints: a month of runs and events can be archived while its tickets stay.
    run = models.ForeignKey(
        "engine.Run", null=True, blank=True, on_delete=models.PROTECT, related_name="tickets", db_constraint=False
    )
    event = models.ForeignKey(
        "engine.Event", null=True, blank=True, on_delete=models.PROTECT, related_name="tickets", db_constraint=False
    )
    status = models.CharField(max_length=12, choices=TicketStatus, default=TicketStatus.OPEN)
    exception_class = models.CharField(max_length=14, choices=ExceptionClass)
    reason = models.CharField(max_length=60, help_text="stable lower_snake code")
    severity = models.CharField(max_length=4, choices=Severity, default=Severity.SOFT)
    message = models.TextField(help_text="what happened, one sentence")
    remedy = models.TextField(help_text="what to do")
    flow = models.CharField(max_length=80, blank=True)
    step = models.CharField(max_length=80, blank=True)
    system = models.CharField(max_length=80, blank=True)
    queue = models.ForeignKey("ownership.Team", on_delete=models.PROTECT, related_name="tickets")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="tickets"
    )
    owned_because = models.CharField(max_length=300, blank=True, help_text="which route or role named queue and owner")
    amount = models.DecimalField(null=True, blank=True, **AMOUNT)
    currency = models.CharField(max_length=3, blank=True)
    customer = models.CharField(max_length=200, blank=True)
    canonical_key = models.CharField(max_length=200, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True, db_index=True)
    context = models.JSONField(
        default=dict, encoder=jsontext.ExactEncoder, help_text="snapshot of what is needed to understand it"
    )
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="end of the resolution clock")
    sla_minutes = models.PositiveIntegerField()
    first_touch_at = models.DateTimeField(null=True, blank=True)
    breached_at = models.DateTimeField(
        null=True, blank=True, help_text="when the clock's breach was recorded and escalated"
    )
    times_seen = models.PositiveIntegerField(default=1)
    last_seen_at = models.DateTimeField()
    resolution = models.CharField(max_length=12, choices=Resolution, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=200, blank=True)
    resolution_note = models.TextField(blank=True)
    history = HistoricalRecords(excluded_fields=["context", "times_seen", "last_seen_at"])

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=Q(status__in=LIVE), name="one_live_ticket_per_subject"
            ),
            models.CheckConstraint(
                condition=~Q(status="resolved") | Q(resolved_at__isnull=False) & ~Q(resolution=""),
                name="resolved_ticket_says_how",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"], condition=Q(status__in=LIVE), name="ticket_live_by_due"
            ),  # reader: queue page
            models.Index(
                fields=["queue", "due_at"], condition=Q(status__in=LIVE), name="ticket_live_by_queue"
            ),  # reader: queue page
            models.Index(
                fields=["owner", "due_at"], condition=Q(status__in=LIVE), name="ticket_live_by_owner"
            ),  # reader: "Mine"
            models.Index(fields=["-opened_at"], name="ticket_newest"),  # reader: API list
            models.Index(fields=["canonical_key"], name="ticket_by_key"),  # reader: trace
            models.Index(fields=["reason", "flow", "-opened_at"], name="ticket_similar"),  # reader: similar tickets
        ]


class TicketEntry(models.Model):
    """One line of a ticket's timeline. Written by `exceptions.tickets`; never changed."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="entries")
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=12, choices=EntryKind)
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    detail = models.JSONField(default=dict, encoder=jsontext.ExactEncoder)

    class Meta:
        ordering = ["id"]


class Approval(models.Model):
    """A decision asked of a person, bound to a fingerprint of what they were shown. Written by `exceptions.approvals`.

    Invariants: one pending approval per run and rule; who decides is never who asked; a decision has a reason.
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("apr"), editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="approvals")
    run = models.ForeignKey("engine.Run", on_delete=models.PROTECT, related_name="approvals", db_constraint=False)
    status = models.CharField(max_length=10, choices=ApprovalStatus, default=ApprovalStatus.PENDING)
    policy = models.CharField(max_length=80)
    policy_version = models.PositiveIntegerField()
    rule = models.CharField(max_length=80)
    message = models.TextField(help_text="what is asked, one sentence")
    bound = models.JSONField(encoder=jsontext.ExactEncoder, help_text="the fields decided on")
    fingerprint = models.CharField(max_length=64, help_text="of bound and policy version")
    snapshot = models.JSONField(
        default=dict, encoder=jsontext.ExactEncoder, help_text="the canonical document as shown"
    )
    amount = models.DecimalField(null=True, blank=True, **AMOUNT)
    currency = models.CharField(max_length=3, blank=True)
    customer = models.CharField(max_length=200, blank=True)
    requester = models.CharField(
        max_length=200, blank=True, help_text="who asked, as the source names them (compared with username and mail)"
    )
    team = models.ForeignKey("ownership.Team", on_delete=models.PROTECT, related_name="approvals")
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="decisions"
    )
    decision_reason = models.TextField(blank=True)
    history = HistoricalRecords(excluded_fields=["snapshot"])

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "policy", "rule"], condition=Q(status="pending"), name="one_pending_approval_per_rule"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "refused"])
                | Q(decided_at__isnull=False, decided_by__isnull=False),
                name="decision_has_a_person",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"], condition=Q(status="pending"), name="approval_pending_by_due"
            ),  # reader: approvals page
            models.Index(fields=["-asked_at", "-id"], name="approval_newest"),  # reader: approvals page, all
            models.Index(
                fields=["customer", "-decided_at"], condition=Q(status="approved"), name="approval_of_customer"
            ),  # reader: approval page
        ]


class BulkJob(models.Model):
    """One act on many records as a page does it: chosen, previewed, asked for with a reason, carried out. Written by `exceptions.bulk_jobs`.

    Invariants: the records are fixed when it is made; nothing is done before `asked_at`; `results` says of each record done what became of it;
    one worker at a time carries it (`beat_at`), and another takes over where that one went silent.
    """

    public_id = models.CharField(max_length=24, unique=True, default=ids.maker("blk"), editable=False)
    action = models.CharField(max_length=12, choices=BulkAction)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bulk_jobs")
    idents = models.JSONField(help_text="public ids of the records")
    options = models.JSONField(default=dict, help_text="to: user:… or team:…; resolution")
    reason = models.TextField(blank=True)
    results = models.JSONField(default=list, help_text="of each record done: id, problem, code")
    made_at = models.DateTimeField(auto_now_add=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True, help_text="last sign of life of the worker that carries it")
    ended_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text="why it could not be carried out as a whole")

    class Meta:
        indexes = [
            models.Index(fields=["by", "made_at"], name="bulk_job_of_person")
        ]  # reader: clearing of what was never asked for

    def __str__(self) -> str:
        return f"{self.public_id}: {self.get_action_display()}"
