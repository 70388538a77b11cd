"""Systems over the API: their limits and circuit in numbers, what the circuit did, and a person's word on them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.fields import AMOUNT_SCHEMA, Json, Time, amount
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import ListOperation, Operation
from ownership.enums import Circuit, Scope
from ownership.models import System
from syncflows.engine import system_acts
from syncflows.engine.enums import CircuitEvent, SystemAct
from syncflows.engine.limits import figures
from syncflows.engine.models import CircuitChange
from syncflows.governance import catalog
from syncflows.governance.api_shapes import SystemOutput
from syncflows.governance.enums import Kind


class CircuitWindowOutput(serializers.Serializer):
    """Calls that ended lately, over all workers."""

    calls = serializers.IntegerField()
    failures = serializers.IntegerField(help_text="time-outs, 5xx, unreachable; never refusals of a document")
    failure_rate = serializers.FloatField()
    slow = serializers.IntegerField()
    p95_ms = serializers.FloatField(allow_null=True)


class TokensOutput(serializers.Serializer):
    """One rate."""

    per_second = serializers.FloatField()
    burst = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True, help_text="calls that may go at once now; null while not known")


@extend_schema_field({"type": "array", "items": AMOUNT_SCHEMA})
class Amounts(serializers.Field):
    """Sums by currency."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, **kwargs})

    def to_representation(self, value: Any) -> list[Any]:
        return [amount(worth.amount, worth.currency) for worth in value]


class LimitsOutput(serializers.Serializer):
    """What the limits and the window say now."""

    shared = serializers.BooleanField(help_text="false while Valkey is lost: each worker keeps to its part")
    concurrency = serializers.IntegerField()
    slots_used = serializers.IntegerField(allow_null=True)
    workers = serializers.IntegerField(allow_null=True, help_text="that asked lately")
    tokens = TokensOutput(many=True)
    window_s = serializers.FloatField(source="policy.breaker.window_s")
    window = CircuitWindowOutput()
    quiet_until = Time(allow_null=True, help_text="it asked us to wait (Retry-After)")
    waiting_runs = serializers.IntegerField(source="waiting.runs")
    waiting_amounts = Amounts(source="waiting.amounts", help_text="what they are worth, by currency")


class SystemDetailOutput(SystemOutput):
    """With its circuit and limits."""

    circuit = serializers.ChoiceField(choices=Circuit.choices)
    reopenings = serializers.IntegerField(help_text="tries in a row that failed")
    consecutive_failures = serializers.IntegerField(help_text="calls in a row that could not reach it")
    limits = LimitsOutput(allow_null=True, help_text="null without a definition in force")


class CircuitChangeOutput(serializers.Serializer):
    """What happened to a circuit, why, and the numbers that decided."""

    at = Time()
    event = serializers.ChoiceField(choices=CircuitEvent.choices)
    reason = serializers.CharField()
    numbers = Json()
    until = Time(allow_null=True, help_text="no call before then")
    actor = serializers.CharField(help_text="empty: the engine")


class SystemActInput(serializers.Serializer):
    """What to do, and why."""

    act = serializers.ChoiceField(choices=SystemAct.choices)
    reason = serializers.CharField(max_length=500)
    for_s = serializers.FloatField(
        min_value=1,
        max_value=86_400,
        default=system_acts.OPEN_FOR_S,
        help_text="for open: seconds until one item tries",
    )


class SystemShow(Operation):
    """One system: state, circuit, limits in numbers, who waits."""

    required_scopes = Scope.FLOWS_READ
    serializer_class = SystemDetailOutput

    @extend_schema(operation_id="showSystem", tags=["systems"], summary="A system with its circuit and limits")
    def get(self, request: Request, name: str) -> Response:
        return Response(shown(system_acts.find(name)))


class SystemActs(Operation):
    """Pauses or resumes a system, or opens or closes its circuit."""

    required_scopes = Scope.SYSTEMS_WRITE
    serializer_class = SystemDetailOutput

    @extend_schema(
        operation_id="actOnSystem", tags=["systems"], summary="Pause, resume, open or close", request=SystemActInput
    )
    @idempotent
    def post(self, request: Request, name: str) -> Response:
        asked = self.read(SystemActInput)
        row = system_acts.act(
            name, SystemAct(asked["act"]), reason=asked["reason"], by=request.user, for_s=asked["for_s"]
        )
        return Response(shown(row))


class CircuitChanges(ListOperation):
    """What a system's circuit did, newest first."""

    required_scopes = Scope.FLOWS_READ
    queryset = CircuitChange.objects.none()  # of what kind the rows are, for the OpenAPI document
    serializer_class = CircuitChangeOutput

    @extend_schema(operation_id="listCircuitChanges", tags=["systems"], summary="What its circuit did, and why")
    def get(self, request: Request, name: str) -> Response:
        system_acts.find(name)
        page = self.paginate_queryset(CircuitChange.objects.filter(system=name))
        return self.get_paginated_response(CircuitChangeOutput(page, many=True).data)


def shown(row: System) -> Any:
    definitions = catalog.current().by_kind.get(Kind.SYSTEM, {})
    found: Any = row
    found.limits = figures.of(definitions, [row]).get(row.name)
    return SystemDetailOutput(found).data
