"""How flows, contracts, owners and systems look in the API. A system's definition is not shown: it names where its secrets are."""

from __future__ import annotations

from rest_framework import serializers

from meshline.kernel.api.fields import Json, Time
from ownership.enums import OwnerRole, SystemState
from syncflows.governance.enums import VersionState


class PersonOutput(serializers.Serializer):
    username = serializers.CharField()
    name = serializers.CharField(source="__str__")


class TeamOutput(serializers.Serializer):
    name = serializers.CharField()
    title = serializers.CharField()


class OwnerOutput(serializers.Serializer):
    """One cell of the ownership matrix."""

    flow = serializers.CharField()
    role = serializers.ChoiceField(choices=OwnerRole.choices)
    person = PersonOutput(allow_null=True)
    team = TeamOutput(allow_null=True)
    fallback = PersonOutput(allow_null=True)


class VersionOutput(serializers.Serializer):
    """One immutable version of a definition."""

    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=VersionState.choices)
    fingerprint = serializers.CharField()
    created_at = Time()
    created_by = serializers.CharField()
    signed_by = serializers.ListField(child=serializers.CharField())


class FlowOutput(serializers.Serializer):
    """A flow and the version in force; null where it is retired."""

    name = serializers.CharField()
    title = serializers.CharField(source="active.title", allow_null=True)
    live = serializers.BooleanField(source="active.spec.live", default=True)
    contract = serializers.CharField(source="active.spec.trigger.contract", allow_null=True)
    policies = serializers.ListField(child=serializers.CharField(), source="active.spec.policies", default=list)
    active = VersionOutput(allow_null=True)


class FlowStepOutput(serializers.Serializer):
    """One outside write, as the version in force defines it."""

    name = serializers.CharField()
    system = serializers.CharField()
    operation = serializers.CharField()
    when = serializers.CharField(allow_null=True, default=None, help_text="CEL; skipped unless true")
    reference = serializers.CharField(help_text="CEL")
    on_change = serializers.CharField(default="duplicate")


class FlowDetailOutput(FlowOutput):
    """With steps, ownership matrix and all versions."""

    steps = FlowStepOutput(many=True)
    owners = OwnerOutput(many=True)
    versions = VersionOutput(many=True)
    document = Json(allow_null=True, help_text="the definition, as its file has it")


class ContractOutput(serializers.Serializer):
    """What an event must look like."""

    name = serializers.CharField()
    title = serializers.CharField(source="active.title", allow_null=True)
    version = serializers.CharField(source="active.spec.version", allow_null=True, help_text="semver")
    system = serializers.CharField(source="active.spec.system", allow_null=True)
    types = serializers.ListField(child=serializers.CharField(), source="active.spec.types", default=list)
    object = serializers.CharField(source="active.spec.object", allow_null=True)
    active = VersionOutput(allow_null=True)


class ContractDetailOutput(ContractOutput):
    """With the JSON Schema of its payloads and all versions."""

    schema = Json(source="active.spec.schema", allow_null=True, help_text="JSON Schema 2020-12")
    versions = VersionOutput(many=True)


class SystemOutput(serializers.Serializer):
    """A connected application and whether Meshline writes to it now."""

    name = serializers.CharField()
    title = serializers.CharField()
    connector = serializers.CharField()
    environment = serializers.CharField()
    state = serializers.ChoiceField(choices=SystemState.choices)
    state_reason = serializers.CharField()
    state_since = Time(allow_null=True)
    last_ok_at = Time(allow_null=True)
    retry_at = Time(allow_null=True, help_text="while it is down: no call before then")
