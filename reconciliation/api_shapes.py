"""How reconciliation runs and discrepancies look in the API, and what their operations take."""

from __future__ import annotations

from rest_framework import serializers

from meshline.kernel.api.fields import Amount, Json, Time
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus, ReconciliationStatus

WINDOW_DAYS_MAX = 36500  # as in a flow's definition


class ReconciliationOutput(serializers.Serializer):
    """One comparison of our records with what the target says."""

    id = serializers.CharField(source="public_id")
    flow = serializers.CharField()
    system = serializers.CharField()
    status = serializers.ChoiceField(choices=ReconciliationStatus.choices)
    window_from = serializers.DateField()
    window_to = serializers.DateField()
    started_at = Time()
    ended_at = Time(allow_null=True)
    started_by = serializers.CharField()
    compared = serializers.IntegerField()
    matched = serializers.IntegerField()
    missing_in_target = serializers.IntegerField()
    missing_in_source = serializers.IntegerField()
    differs = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    tickets = serializers.IntegerField(help_text="opened or seen again")
    totals = Json(help_text="per currency: ours and theirs")
    problem = serializers.CharField(help_text="why it failed")


class DiscrepancyOutput(serializers.Serializer):
    """One record on which both sides do not agree."""

    id = serializers.CharField(source="public_id")
    flow = serializers.CharField()
    system = serializers.CharField()
    key = serializers.CharField(help_text="our reference")
    kind = serializers.ChoiceField(choices=DiscrepancyKind.choices)
    status = serializers.ChoiceField(choices=DiscrepancyStatus.choices)
    in_doubt = Amount()
    fields_differing = Json(source="fields", help_text="per field: name, ours, theirs, tolerance")
    ticket = serializers.CharField(source="ticket.public_id", allow_null=True)
    first_seen = serializers.CharField(source="first_seen.public_id", help_text="reconciliation run")
    last_seen = serializers.CharField(source="last_seen.public_id", help_text="reconciliation run")
    opened_at = Time()
    resolved_at = Time(allow_null=True)
    resolution_note = serializers.CharField()


class DiscrepancyDetailOutput(DiscrepancyOutput):
    """With both sides."""

    ours = Json(allow_null=True)
    theirs = Json(allow_null=True)


class StartInput(serializers.Serializer):
    flow = serializers.CharField(max_length=80)
    window_days = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=WINDOW_DAYS_MAX,
        help_text="default: as the flow's definition says",
    )


class RecheckInput(serializers.Serializer):
    note = serializers.CharField(required=False, allow_blank=True, max_length=2000, help_text="stands before the proof")


class RecheckOutput(serializers.Serializer):
    """What both sides say now."""

    agrees = serializers.BooleanField(help_text="true: the discrepancy and its ticket are resolved")
    message = serializers.CharField()
    discrepancy = DiscrepancyDetailOutput()
