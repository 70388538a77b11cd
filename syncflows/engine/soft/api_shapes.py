"""How staged documents, imports and bulk acts look in the API. Public ids only; money with its currency; times in UTC."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from meshline.kernel.api.fields import Amount, Json, Time
from syncflows.engine.api_shapes import FactOutput
from syncflows.engine.enums import BulkState, GateState, StagedAction, StagedStatus, StagedVerdict

MOST_AT_ONCE = 500


class StagedOutput(serializers.Serializer):
    """One planned write that waits in the soft ledger."""

    id = serializers.CharField(source="public_id")
    run = serializers.CharField(source="run.public_id")
    flow = serializers.CharField()
    step = serializers.CharField()
    system = serializers.CharField()
    operation = serializers.CharField()
    reference = serializers.CharField(help_text="our key in the far side's document")
    canonical_key = serializers.CharField()
    status = serializers.ChoiceField(choices=StagedStatus.choices)
    status_reason = serializers.CharField(help_text="a sentence: why it is where it is")
    batch = serializers.CharField(help_text="label of the staged import; empty: the flow stages")
    customer = serializers.CharField()
    money = Amount()
    fingerprint = serializers.CharField(help_text="what approvals and promotions are bound to")
    verdict = serializers.ChoiceField(
        choices=StagedVerdict.choices, allow_blank=True, help_text="of the last comparison; empty: never compared"
    )
    verdict_at = Time(allow_null=True)
    gate_state = serializers.ChoiceField(choices=GateState.choices)
    gate_reason = serializers.CharField(help_text="what each gate says")
    approved_by = serializers.CharField(allow_null=True, help_text="username")
    approved_at = Time(allow_null=True)
    external_id = serializers.CharField(help_text="the target's id of it, once known")
    staged_at = Time()
    decided_by = serializers.CharField()
    decided_at = Time(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = super().to_representation(instance)
        shown["approved_by"] = instance.approved_by.username if instance.approved_by else None
        return shown


class StagedDetailOutput(StagedOutput):
    """With the document, what differs from the target, and what lineage tells of it."""

    document = Json()
    difference = Json(help_text="fields that differed at the last comparison: name, ours, theirs")
    idempotency_key = serializers.CharField()
    lineage = FactOutput(many=True)


class StagedReasonInput(serializers.Serializer):
    reason = serializers.CharField(max_length=2000, help_text="kept as evidence")


class StagedBulkInput(serializers.Serializer):
    """Which documents, by `ids` or by `filter` (the names and values of the list's query parameters), and whether to do it at all."""

    action = serializers.ChoiceField(choices=StagedAction.choices)
    ids = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, min_length=1, max_length=MOST_AT_ONCE
    )
    filter = serializers.DictField(child=serializers.CharField(max_length=300), required=False)
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    dry_run = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give either ids or filter.")
        return attrs


class StagedRefusalOutput(serializers.Serializer):
    message = serializers.CharField()
    count = serializers.IntegerField()


class StagedBulkOutput(serializers.Serializer):
    """A bulk act: what it would do (`dry_run`), or how far it is."""

    id = serializers.CharField(source="public_id")
    action = serializers.ChoiceField(choices=StagedAction.choices)
    total = serializers.IntegerField()
    dry_run = serializers.BooleanField()
    allowed = serializers.IntegerField(allow_null=True, help_text="dry run: of the first 5,000")
    amounts = Json(help_text="dry run: of those allowed, by currency")
    verdicts = Json(help_text="dry run: documents by the verdict of their last comparison")
    refusals = StagedRefusalOutput(many=True, help_text="dry run: why some are left as they are")
    waiting = serializers.IntegerField()
    done = serializers.IntegerField()
    left = serializers.IntegerField(help_text="left as they are; the results say why")
    asked_at = Time(allow_null=True)
    ended_at = Time(allow_null=True)
    cancelled_at = Time(allow_null=True)
    problem = serializers.CharField()


class StagedResultOutput(serializers.Serializer):
    """What became of one document of a bulk act."""

    id = serializers.CharField(source="document.public_id")
    state = serializers.ChoiceField(choices=BulkState.choices)
    code = serializers.CharField()
    problem = serializers.CharField()


class StagedImportOutput(serializers.Serializer):
    """A staged import and how it stands."""

    label = serializers.CharField(source="batch.label")  # type: ignore[assignment]  # a field named as the property of fields
    imported_by = serializers.CharField(source="batch.imported_by")
    began_at = Time(source="batch.began_at")
    documents = Json(help_text="documents by status")
    verdicts = Json(help_text="staged documents by the verdict of their last comparison")
    amounts = Json(help_text="of staged documents, by currency")
    runs = Json(help_text="runs that have no staged document, by status")
