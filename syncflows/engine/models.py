"""What arrived, what was made of it, what was done with it, and why. The rows are the truth; queues are only doorbells.

Event, Run, WriteAttempt, LineageFact and TraceKey are partitioned by month (`engine.partitions`, docs/adr/0005). Relations among them carry no
database constraint: whole months are archived, and what stays must cope with a row that is not there. Each index names its reader.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from meshline.kernel import ids, jsontext
from syncflows.engine.enums import DUE, AttemptStatus, CircuitEvent, EventStatus, FactKind, RunStatus, StepStatus
from syncflows.enums import HoldReason

AMOUNT: dict[str, Any] = {"max_digits": 36, "decimal_places": 12}


class Event(models.Model):
    """What arrived, as it arrived. Written by `engine.ingest` only; payload never changes.

    Invariants: (source, source_event_id) is unique, whatever the number of deliveries (`EventKey`); a quarantined event keeps its raw text;
    public_id is unique within a month's partition, and so everywhere: it begins with the time it was made at.
    """

    public_id = models.CharField(max_length=24, default=ids.maker("evt"), editable=False)
    source = models.CharField(max_length=80, help_text="the system's name")
    source_event_id = models.CharField(
        max_length=200, help_text="the source's id of the event; a fingerprint where it has none"
    )
    type = models.CharField(max_length=120)
    status = models.CharField(max_length=12, choices=EventStatus, default=EventStatus.ACCEPTED)
    payload = models.JSONField(null=True, encoder=jsontext.ExactEncoder)
    raw = models.TextField(blank=True, help_text="the body of a quarantined event, as text (undecodable bytes escaped)")
    problem = models.TextField(blank=True, help_text="why it is quarantined or unrouted")
    canonical_key = models.CharField(max_length=200, blank=True)
    lane = models.CharField(max_length=260, blank=True, help_text="object:key; runs of one lane are serial")
    sequence = models.CharField(
        max_length=60, blank=True, help_text="orders events of one lane as the source does; compared as text"
    )
    correlation_id = models.CharField(max_length=64, help_text="trace id of W3C traceparent, or made here")
    occurred_at = models.DateTimeField(null=True, blank=True, help_text="at the source")
    received_at = models.DateTimeField(auto_now_add=True)
    origin = models.CharField(max_length=300, blank=True, help_text="how it came: http, webhook, file name and line")
    synthetic = models.BooleanField(default=False)

    class Meta:
        # By key, correlation id and source event id events are found through TraceKey and EventKey.
        indexes = [
            models.Index(
                fields=["-id"], condition=~Q(status="accepted"), name="event_not_accepted"
            ),  # reader: quarantine list
            BrinIndex(
                fields=["received_at"], autosummarize=True, pages_per_range=32, name="event_received"
            ),  # reader: filters by time
        ]


class EventKey(models.Model):
    """Which event a source's event id is: one, however often it is delivered, and for as long as we keep the key, even when the event's month is archived.

    Written by `engine.ingest`, in the statement that writes the event.
    """

    pk = models.CompositePrimaryKey("source_event_id", "source")
    source_event_id = models.CharField(max_length=200)
    source = models.CharField(max_length=80)
    event_id = models.BigIntegerField()


class Run(models.Model):
    """One event carried by one flow version. Status is written by `kernel.transitions` only; leases by `engine.claims`.

    Invariants: at most one running run per lane (`engine.claims`); one run per event and flow (made with the event's key); a parked run has a reason.
    public_id, (event, flow) and the lane of running runs are unique within each month's partition besides.
    """

    public_id = models.CharField(max_length=24, default=ids.maker("run"), editable=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="runs", db_constraint=False, db_index=False)
    flow = models.CharField(max_length=80)
    flow_version = models.ForeignKey(
        "governance.DefinitionVersion",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,  # versions are never deleted; a check would lock the version's row for each run
        db_index=False,
        help_text="the version that last carried it",
    )
    status = models.CharField(max_length=12, choices=RunStatus, default=RunStatus.PENDING)
    lane = models.CharField(max_length=260)
    sequence = models.CharField(max_length=60, blank=True)
    correlation_id = models.CharField(max_length=64)
    canonical_key = models.CharField(max_length=200)
    priority = models.SmallIntegerField(default=100, help_text="lower goes first")
    batch = models.CharField(
        max_length=80, blank=True, db_default="", help_text="the staged import it came with; its writes are all staged"
    )
    due_at = models.DateTimeField(help_text="when to carry it on; of use while pending or retrying")
    tries = models.PositiveIntegerField(default=0, help_text="since the last release or replay")
    first_failed_at = models.DateTimeField(
        null=True, blank=True, help_text="the first of these tries that failed for a passing reason"
    )
    budget_from = models.DateTimeField(
        null=True,
        blank=True,
        help_text="since when its flow's target counts, where a person started it again; null: since arrival",
    )
    deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="workers that died with it in a row, since it last came to rest"
    )
    lease_owner = models.CharField(max_length=60, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    hold_reason = models.CharField(max_length=12, choices=HoldReason, blank=True)
    waits_for = models.CharField(max_length=260, blank=True, help_text="entity:value, while held for a dependency")
    status_reason = models.TextField(blank=True, help_text="a sentence: why it is where it is")
    payload = models.JSONField(
        null=True, encoder=jsontext.ExactEncoder, help_text="the corrected payload; null: the event's own"
    )
    canonical = models.JSONField(null=True, encoder=jsontext.ExactEncoder)
    clearances = models.JSONField(
        default=list, help_text="decisions of people that policies honour: policy, rule, fingerprint, by, at, via"
    )
    replay = models.JSONField(
        null=True,
        help_text="how it was replayed last: job, from_step, versions (row numbers of the definitions to use; null: those in force)",
    )
    plan_fingerprint = models.CharField(max_length=64, blank=True)
    amount = models.DecimalField(null=True, blank=True, **AMOUNT)
    currency = models.CharField(max_length=3, blank=True)
    customer = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=200, blank=True, help_text="the far side's number of the main document")
    human_actions = models.PositiveIntegerField(default=0)
    compensation = models.JSONField(
        null=True,
        help_text="set once what it wrote is being taken back: since, by, reason, cause; null: it goes forward",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        # A change of status costs an entry in each of these: none is here that nobody reads.
        indexes = [
            models.Index(
                fields=["flow", "priority", "due_at", "id"],
                condition=Q(status__in=["pending", "retrying"]),
                name="run_due",
            ),  # reader: claims
            models.Index(
                fields=["lane", "sequence", "id"],
                condition=Q(status__in=["pending", "retrying", "running"]),
                name="run_lane_active",
            ),  # reader: claims
            models.Index(fields=["lane", "-id"], name="run_lane"),  # reader: superseding, trace
            models.Index(
                fields=["waits_for"], condition=Q(status="held"), name="run_waits"
            ),  # reader: releases of dependencies
            models.Index(
                fields=["waits_for", "due_at"],
                condition=Q(status="retrying") & ~Q(waits_for=""),
                name="run_waits_system",
            ),  # reader: waking what waits for a system
            models.Index(
                fields=["hold_reason", "flow", "id"],
                condition=Q(status="held", hold_reason__in=["paused", "flow_off"]),
                name="run_stopped",
            ),  # reader: sweeper, releases of what waits behind a paused run
            models.Index(fields=["flow", "status", "-id"], name="run_by_flow"),  # reader: flow pages
            BrinIndex(
                fields=["created_at"], autosummarize=True, pages_per_range=32, name="run_created"
            ),  # reader: figures, filters by time
            BrinIndex(fields=["ended_at"], autosummarize=True, pages_per_range=32, name="run_ended"),  # reader: figures
        ]

    @property
    def current_payload(self) -> object:
        return self.payload if self.payload is not None else self.event.payload

    @property
    def next_attempt_at(self) -> datetime | None:
        """When it is carried on by itself."""
        return self.due_at if self.status in DUE else None


class Step(models.Model):
    """One planned effect of a run, and the outside write it is. Written by `engine.execute` and `engine.plan`.

    Invariant: one owner of an idempotency key (`owns_write`); the others adopt what it did.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="steps", db_constraint=False, db_index=False)
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    system = models.CharField(max_length=80)
    operation = models.CharField(max_length=80)
    status = models.CharField(max_length=12, choices=StepStatus, default=StepStatus.PLANNED)
    reference = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=120)
    owns_write = models.BooleanField(default=True)
    document = models.JSONField(encoder=jsontext.ExactEncoder)
    document_fingerprint = models.CharField(max_length=64)
    external_id = models.CharField(max_length=200, blank=True)
    answer = models.JSONField(null=True, encoder=jsontext.ExactEncoder)
    done_at = models.DateTimeField(null=True, blank=True)
    undoes = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="index of the step of this run that this one takes back"
    )
    sent_before = models.DateTimeField(
        null=True, blank=True, help_text="when an earlier run may have sent this write, unanswered"
    )

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["run", "index"], name="one_step_per_place"),
            models.UniqueConstraint(
                fields=["idempotency_key"], condition=Q(owns_write=True), name="one_owner_of_a_write"
            ),
        ]


class WriteAttempt(models.Model):
    """One try at one outside write: committed before it is sent, and again when answered. Written by `engine.recording`."""

    step = models.ForeignKey(
        Step, on_delete=models.PROTECT, related_name="attempts", db_constraint=False, db_index=False
    )
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=AttemptStatus, default=AttemptStatus.INTENDED)
    lease_owner = models.CharField(max_length=60)
    intended_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error = models.TextField(blank=True)
    detail = models.JSONField(default=dict, encoder=jsontext.ExactEncoder)

    class Meta:
        ordering = ["number"]
        # (step, number) is unique within each month's partition, and guarded by the lane and the lease besides; that index serves step's readers.
        indexes = [
            BrinIndex(
                fields=["sent_at"], autosummarize=True, pages_per_range=32, name="attempt_sent"
            )  # reader: calls of a day, on the systems' page
        ]


class LineageFact(models.Model):
    """One ordered fact: a decision with its inputs, an attempt, an answer. Append-only (a trigger refuses UPDATE and DELETE).

    Order within a record is by id. `event` and `run` are row numbers without constraints. A run's fact names its event too: readers ask by event.
    """

    event_id = models.BigIntegerField(null=True)
    run_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=FactKind)
    summary = models.TextField(help_text="a sentence")
    detail = models.JSONField(default=dict, encoder=jsontext.ExactEncoder)
    actor = models.CharField(max_length=200, blank=True, help_text="empty: the engine")

    class Meta:
        indexes = [
            BrinIndex(fields=["id"], autosummarize=True, pages_per_range=32, name="fact_newest"),  # reader: overview
            models.Index(
                fields=["event_id", "id"], name="fact_of_event"
            ),  # reader: lineage of an event and of its runs
        ]


class TraceKey(models.Model):
    """A name by which a record is found: canonical key, external id, order number, correlation id, customer. Written with the fact that made it known."""

    pk = models.CompositePrimaryKey("value", "kind", "event_id")
    value = models.CharField(max_length=200)
    kind = models.CharField(max_length=30)
    event_id = models.BigIntegerField()
    run_id = models.BigIntegerField(null=True)


class CanonicalRecord(models.Model):
    """The business object in our terms, at its newest applied state. Written by `engine.records`, inside the lane of its key."""

    object = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    source = models.CharField(max_length=80)
    flow = models.CharField(max_length=80)
    sequence = models.CharField(max_length=60, blank=True, help_text="of the event that was applied last")
    event = models.ForeignKey(
        Event,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="applied last",
    )
    run = models.ForeignKey(
        Run, null=True, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    document = models.JSONField(encoder=jsontext.ExactEncoder)
    amount = models.DecimalField(null=True, blank=True, **AMOUNT)
    currency = models.CharField(max_length=3, blank=True)
    business_date = models.DateField(
        null=True, blank=True, help_text="of the document; reconciliation windows go by it"
    )
    external_ids = models.JSONField(default=dict, help_text="system name to its id of this record")
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="when the far side confirmed it")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["object", "key", "flow"], name="one_canonical_record")]
        indexes = [
            models.Index(fields=["flow", "business_date"], name="canonical_window"),  # reader: reconciliation
            BrinIndex(
                fields=["delivered_at"], autosummarize=True, pages_per_range=32, name="canonical_delivered"
            ),  # reader: figures
        ]


class CrosswalkEntry(models.Model):
    """The same thing under its names in different systems. Written by `engine.crosswalk`; aliases by `governance.apply` through it.

    `entity` product, customer…; `value` as `system` says it (folded); `key` our canonical key.
    """

    entity = models.CharField(max_length=40)
    system = models.CharField(max_length=80)
    value = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    origin = models.CharField(max_length=20, help_text="declared, learned or decided")
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["entity", "system", "value"], name="one_meaning_per_value")]
        indexes = [
            models.Index(fields=["entity", "key"], name="crosswalk_by_key")
        ]  # reader: external id of a canonical record


class SourceFile(models.Model):
    """How far a file has been read, so that an import that was cut off goes on. Written by `engine.files`."""

    source = models.CharField(max_length=80)
    fingerprint = models.CharField(max_length=64)
    name = models.CharField(max_length=300)
    position = models.BigIntegerField(default=0, help_text="records committed so far")
    finished_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "fingerprint"], name="one_progress_per_file")]


class CircuitChange(models.Model):
    """One change of a system's circuit: what happened, why, and the numbers that decided. Append-only; written by `engine.limits` and `engine.health`."""

    system = models.CharField(max_length=60)
    at = models.DateTimeField()
    event = models.CharField(max_length=16, choices=CircuitEvent)
    reason = models.TextField(blank=True, help_text="a sentence")
    numbers = models.JSONField(default=dict, help_text="calls, failures, outages in a row… when it was decided")
    until = models.DateTimeField(null=True, help_text="no call before then")
    actor = models.CharField(max_length=200, blank=True, help_text="empty: the engine")

    class Meta:
        indexes = [
            models.Index(fields=["system", "-id"], name="circuit_by_system")
        ]  # reader: the system's page and API


from syncflows.engine.archives.models import ArchivedMonth  # noqa: E402 - kept beside what it archives
from syncflows.engine.control.models import RunBulk  # noqa: E402 - as below
from syncflows.engine.replays.models import ReplayItem, ReplayJob  # noqa: E402 - their rows point at these
from syncflows.engine.soft.models import StagedBatch, StagedBulk, StagedBulkItem, StagedDocument  # noqa: E402 - as those

__all__ = [
    "ArchivedMonth",
    "AMOUNT", "CanonicalRecord", "CircuitChange", "CrosswalkEntry", "Event", "LineageFact", "ReplayItem", "ReplayJob", "Run", "RunBulk", "SourceFile", "StagedBatch",
    "StagedBulk", "StagedBulkItem", "StagedDocument", "Step", "TraceKey", "WriteAttempt",
]  # fmt: skip
