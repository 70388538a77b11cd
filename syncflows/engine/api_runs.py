"""Runs over the API: list, show, lineage. Reading only; people act on runs through their tickets."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.operations import ListOperation, Operation
from meshline.kernel.api.paging import OldestFirst
from ownership.enums import Scope
from syncflows.engine import budgets, selectors
from syncflows.engine.api_shapes import FactOutput, RunDetailOutput, RunOutput
from syncflows.engine.filters import RunFilter
from syncflows.engine.models import LineageFact, Run
from syncflows.governance import catalog


class RunList(ListOperation):
    """Runs, newest first."""

    required_scopes = Scope.EVENTS_READ
    queryset = selectors.runs()
    serializer_class = RunOutput
    filterset_class = RunFilter

    @extend_schema(operation_id="listRuns", tags=["runs"], summary="Runs, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)


class RunShow(Operation):
    """One run with its steps, write attempts and lineage."""

    required_scopes = Scope.EVENTS_READ
    serializer_class = RunDetailOutput

    @extend_schema(operation_id="showRun", tags=["runs"], summary="A run with steps, attempts and lineage")
    def get(self, request: Request, public_id: str) -> Response:
        run: Any = self.find(selectors.runs_in_full(), public_id)
        run.lineage = list(selectors.facts_of_run(run))
        run.outlook = budgets.outlook(run, budgets.next_of(run.steps.all()), catalog.current())
        return Response(RunDetailOutput(run).data)


class RunLineage(ListOperation):
    """The ordered facts of a run."""

    required_scopes = Scope.EVENTS_READ
    queryset = LineageFact.objects.none()  # of what kind the rows are, for the OpenAPI document
    serializer_class = FactOutput
    pagination_class = OldestFirst

    @extend_schema(operation_id="listRunLineage", tags=["runs"], summary="The facts of a run, in their order")
    def get(self, request: Request, public_id: str) -> Response:
        run: Run = self.find(Run.objects.only("id", "public_id", "event_id"), public_id)
        page = self.paginate_queryset(selectors.facts_of_run(run))
        return self.get_paginated_response(FactOutput(page, many=True).data)
