"""How replays look in the API, and what their operations take."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from meshline.kernel.api.fields import Amount, Json, JsonObject, Time
from syncflows.engine.replays import jobs
from syncflows.engine.replays.enums import Correction, ReplayOutcome, ReplayStatus, ReplayVerdict, Versions
from syncflows.engine.replays.selection import IDS_MAX
from syncflows.governance.api_shapes import PersonOutput


class NoInput(serializers.Serializer):
    """Nothing."""


class AgainInput(serializers.Serializer):
    reason = serializers.CharField(
        max_length=jobs.REASON_MAX,
        required=False,
        allow_blank=True,
        default="",
        help_text="default: that of the replay",
    )


class CorrectionInput(serializers.Serializer):
    """`merge`: JSON Merge Patch (RFC 7396). `expressions`: the same, its texts are CEL over `payload`. `payload`: the whole payload, of one record."""

    kind = serializers.ChoiceField(choices=Correction.choices)
    document = JsonObject()


class ReplayJobInput(serializers.Serializer):
    """Which records, by `ids` (run_… or evt_…) or by `filter` (names and values of the list of runs, and failure_class, failure_reason, source, amount_min,
    amount_max, currency, received_after, received_before, occurred_after, occurred_before); and how."""

    ids = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, min_length=1, max_length=IDS_MAX
    )
    filter = serializers.DictField(child=serializers.CharField(max_length=300), required=False)
    reason = serializers.CharField(max_length=jobs.REASON_MAX, help_text="becomes part of each record's lineage")
    versions = serializers.ChoiceField(choices=Versions.choices, default=Versions.CURRENT)
    from_step = serializers.CharField(
        max_length=80, required=False, allow_blank=True, default="", help_text="empty: from the start"
    )
    correction = CorrectionInput(required=False, allow_null=True, default=None)
    looks = serializers.BooleanField(default=True, help_text="whether the preview asks the target what it holds now")
    per_second = serializers.IntegerField(
        min_value=1, max_value=jobs.PACE_MAX, default=jobs.DEFAULT_PACE, help_text="records started a second, at most"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give either ids or filter.")
        return attrs


class ReplayOutput(serializers.Serializer):
    """What was asked for, and how far it is."""

    id = serializers.CharField(source="public_id")
    status = serializers.ChoiceField(choices=ReplayStatus.choices)
    asked_by = PersonOutput()
    reason = serializers.CharField()
    selection = Json()
    versions = serializers.ChoiceField(choices=Versions.choices)
    from_step = serializers.CharField()
    correction = Json(allow_null=True)
    looks = serializers.BooleanField()
    per_second = serializers.IntegerField()
    total = serializers.IntegerField(help_text="records, as evaluated when the preview began")
    problem = serializers.CharField(help_text="why it could not go on; empty where it can")
    made_at = Time()
    evaluated_at = Time(allow_null=True)
    previewed_at = Time(allow_null=True)
    started_at = Time(allow_null=True)
    ended_at = Time(allow_null=True)


class ReplayCountsOutput(serializers.Serializer):
    verdicts = serializers.DictField(
        child=serializers.IntegerField(), help_text="by verdict; under the empty name those not looked at yet"
    )
    outcomes = serializers.DictField(child=serializers.IntegerField(), help_text="by what became of them")


class ReplayPartsOutput(serializers.Serializer):
    counts = ReplayCountsOutput()
    runnable = serializers.IntegerField(help_text="how many a start would run")
    newcomers = serializers.IntegerField(help_text="how many match by now that are not part of it; counted up to 1,000")


class ReplayDetailOutput(ReplayPartsOutput, ReplayOutput):
    """With its counts."""


class ReplayRecordOutput(serializers.Serializer):
    """One record of a replay."""

    run = serializers.CharField(source="run.public_id")
    flow = serializers.CharField(source="run.flow")
    canonical_key = serializers.CharField(source="run.canonical_key")
    money = Amount(source="run")
    verdict = serializers.ChoiceField(
        choices=ReplayVerdict.choices, allow_blank=True, help_text="empty: not looked at yet"
    )
    verdict_reason = serializers.CharField()
    detail = Json(help_text="class and reason of a failure, newer_run and overwrites, corrected, versions")
    canonical = Json(allow_null=True)
    steps = Json(
        help_text="each with does, document, reference, external_id, holds, difference [{path, ours, theirs, kind}], problem"
    )
    outcome = serializers.ChoiceField(choices=ReplayOutcome.choices)
    outcome_reason = serializers.CharField()
    begun_at = Time(allow_null=True)
    settled_at = Time(allow_null=True)
