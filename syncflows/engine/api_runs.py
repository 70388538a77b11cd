"""Runs over the API: list, show, lineage, the repair plan of half a run, and taking it back."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import ListOperation, Operation
from meshline.kernel.api.paging import OldestFirst
from meshline.kernel.errors import Conflict
from ownership.enums import Scope
from syncflows.engine import budgets, repair, selectors, taking_back
from syncflows.engine.api_shapes import CompensateInput, FactOutput, RepairOutput, RunDetailOutput, RunOutput
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


class RunRepair(Operation):
    """What half a run left behind: what stands where, what is missing, how each is taken back."""

    required_scopes = Scope.EVENTS_READ
    serializer_class = RepairOutput

    @extend_schema(operation_id="showRunRepair", tags=["runs"], summary="The repair plan of a run that is half done")
    def get(self, request: Request, public_id: str) -> Response:
        run: Run = self.find(Run.objects.all(), public_id)
        plan = repair.of_run(run, list(run.steps.order_by("index")), catalog.current())
        if plan is None:
            raise Conflict(f"{run.public_id} is {run.get_status_display().lower()} and not half done, so there is nothing to repair.", code="not_half_done")  # fmt: skip
        return Response(RepairOutput(plan).data)


class RunCompensate(Operation):
    """Has what a run wrote taken back, last first; or goes on where an undo was refused. Its ticket ends with it."""

    required_scopes = Scope.TICKETS_WRITE
    serializer_class = RunOutput

    @extend_schema(
        operation_id="compensateRun", tags=["runs"], summary="Take back what a run wrote", request=CompensateInput, responses=RunOutput
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(CompensateInput)
        run: Run = self.find(Run.objects.all(), public_id)
        taking_back.check_user_can_take_back(self.request.user, run)
        taking_back.ask(run.pk, by=self.actor, reason=asked["reason"])
        return Response(RunOutput(self.find(selectors.runs(), public_id)).data)


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
