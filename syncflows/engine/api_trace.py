"""Trace over the API: everything that answers to one name, whichever of its names that is."""

from __future__ import annotations

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.operations import Operation
from meshline.kernel.api.query import BadQuery
from ownership.enums import Scope
from syncflows.engine import trace
from syncflows.engine.api_shapes import EventOutput, RunOutput
from syncflows.engine.models import Run

KEY_LENGTH = 200
KEY_TEXT = (
    "canonical key, external id, order number, correlation id, source event id, customer, or a public id (evt_…, run_…)"
)


class MatchOutput(serializers.Serializer):
    """One event that answers to the key, with its runs."""

    by = serializers.CharField(help_text="as what it answers: canonical key, order number, customer…")
    event = EventOutput()
    runs = RunOutput(many=True)


class TraceOutput(serializers.Serializer):
    """What answers to the key, newest first. Each run's lineage is at /api/v1/runs/<id>/lineage/."""

    key = serializers.CharField()
    matches = MatchOutput(many=True)
    more = serializers.BooleanField(help_text="whether there are further matches than are listed")


class TraceFind(Operation):
    """Nothing found is an answer with no matches, not an error."""

    required_scopes = Scope.EVENTS_READ
    serializer_class = TraceOutput
    query_names = frozenset({"key"})

    @extend_schema(
        operation_id="trace", tags=["trace"], summary="Find a record by any of its names",
        parameters=[OpenApiParameter("key", required=True, description=KEY_TEXT)],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        found = trace.find(_key(request))
        runs: list[Run] = [run for match in found.matches for run in match.runs]
        prefetch_related_objects(runs, "flow_version", "event")
        return Response(TraceOutput(found).data)


def _key(request: Request) -> str:
    key = request.query_params.get("key", "").strip()
    if not key or len(key) > KEY_LENGTH or "\0" in key:
        problem = (
            f"key is missing, longer than {KEY_LENGTH} characters, or holds a NUL character. Give one of: {KEY_TEXT}."
        )
        raise BadQuery(problem, context={"errors": [{"field": "key", "message": problem}]})
    return key
