"""How events, runs, steps and lineage look in the API. Public ids only; money with its currency; times in UTC."""

from __future__ import annotations

from rest_framework import serializers

from meshline.kernel.api.fields import Amount, Json, Time
from syncflows.engine.enums import AttemptStatus, EventStatus, FactKind, RunStatus, StepStatus
from syncflows.enums import HoldReason


class EventOutput(serializers.Serializer):
    """What arrived, without its payload."""

    id = serializers.CharField(source="public_id")
    source = serializers.CharField()  # type: ignore[assignment]  # a field named as the property of fields
    source_event_id = serializers.CharField()
    type = serializers.CharField()
    status = serializers.ChoiceField(choices=EventStatus.choices)
    problem = serializers.CharField(help_text="why it is quarantined or unrouted")
    canonical_key = serializers.CharField()
    correlation_id = serializers.CharField()
    occurred_at = Time(allow_null=True)
    received_at = Time()
    origin = serializers.CharField(help_text="http, webhook, or file and line")
    synthetic = serializers.BooleanField()


class FactOutput(serializers.Serializer):
    """One fact of the lineage, in order."""

    at = Time()
    kind = serializers.ChoiceField(choices=FactKind.choices)
    summary = serializers.CharField()
    detail = Json()
    actor = serializers.CharField(help_text="empty: the engine")


class AttemptOutput(serializers.Serializer):
    """One try at an outside write."""

    number = serializers.IntegerField()
    status = serializers.ChoiceField(choices=AttemptStatus.choices)
    intended_at = Time()
    sent_at = Time(allow_null=True)
    answered_at = Time(allow_null=True)
    error_code = serializers.CharField()
    error = serializers.CharField()


class StepOutput(serializers.Serializer):
    """One planned effect of a run."""

    name = serializers.CharField()
    system = serializers.CharField()
    operation = serializers.CharField()
    status = serializers.ChoiceField(choices=StepStatus.choices)
    reference = serializers.CharField(help_text="our key in the far side's document")
    idempotency_key = serializers.CharField()
    external_id = serializers.CharField(help_text="the far side's id; empty until it is known")
    document = Json()
    done_at = Time(allow_null=True)
    attempts = AttemptOutput(many=True)


class RunOutput(serializers.Serializer):
    """One event carried by one flow version."""

    id = serializers.CharField(source="public_id")
    event = serializers.CharField(source="event.public_id")
    flow = serializers.CharField()
    flow_version = serializers.IntegerField(source="flow_version.number", allow_null=True)
    status = serializers.ChoiceField(choices=RunStatus.choices)
    status_reason = serializers.CharField(help_text="a sentence: why it is where it is")
    hold_reason = serializers.ChoiceField(choices=HoldReason.choices, allow_blank=True)
    waits_for = serializers.CharField()
    canonical_key = serializers.CharField()
    correlation_id = serializers.CharField()
    money = Amount()
    customer = serializers.CharField()
    outcome = serializers.CharField(help_text="the far side's number of the main document")
    tries = serializers.IntegerField(help_text="since the last release or replay")
    due_at = Time()
    next_attempt_at = Time(allow_null=True, help_text="when it is carried on by itself; null: not by itself")
    created_at = Time()
    ended_at = Time(allow_null=True)


class OutlookOutput(serializers.Serializer):
    """What the retry policy of a run's next call allows still."""

    tries = serializers.IntegerField()
    tries_allowed = serializers.IntegerField()
    tries_left = serializers.IntegerField()
    next_at = Time(allow_null=True)
    gives_up_at = Time(
        allow_null=True, help_text="no try later than this; null: only attempts count, or none has failed"
    )
    late_at = Time(allow_null=True, help_text="when the flow's target is missed; null: it has none")
    policy = serializers.CharField(help_text="the policy in words")
    why = serializers.CharField(help_text="why it is tried again, and then; empty unless it will be")


class RunDetailOutput(RunOutput):
    """With what was read, planned, sent and decided."""

    payload = Json(source="current_payload")
    canonical = Json(allow_null=True)
    clearances = Json(help_text="decisions of people that policies honour")
    plan_fingerprint = serializers.CharField()
    outlook = OutlookOutput(allow_null=True, help_text="null: no call is to be made")
    steps = StepOutput(many=True)
    lineage = FactOutput(many=True)


class RepairLineOutput(serializers.Serializer):
    """One step of half a run."""

    step = serializers.CharField()
    system = serializers.CharField()
    operation = serializers.CharField()
    reference = serializers.CharField()
    external_id = serializers.CharField()
    status = serializers.ChoiceField(choices=StepStatus.choices)
    amount = serializers.CharField(help_text="as its document says; empty where it says none")
    currency = serializers.CharField()
    undo = serializers.CharField(help_text="what takes it back, and how far that came; or that only a person can")


class RepairOutput(serializers.Serializer):
    """What half a run left behind."""

    written = RepairLineOutput(many=True)
    unknown = RepairLineOutput(many=True, help_text="sent, and not known whether it arrived")
    taken_back = RepairLineOutput(many=True)
    missing = RepairLineOutput(many=True)
    missing_from = serializers.CharField(help_text="the step that a replay goes on from")


class CompensateInput(serializers.Serializer):
    reason = serializers.CharField(max_length=5000, help_text="one sentence; it becomes part of the record")


class EventDetailOutput(EventOutput):
    """With its payload, lineage and runs."""

    payload = Json(allow_null=True)
    raw = serializers.CharField(help_text="the body of a quarantined event, as text")
    runs = RunOutput(many=True)
    lineage = FactOutput(many=True)
