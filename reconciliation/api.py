"""Reconciliation runs and discrepancies over the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import ListOperation, Operation
from meshline.kernel.errors import MeshlineError
from ownership.enums import Scope
from ownership.permissions import Ability, check_user_can
from reconciliation import api_shapes as shapes
from reconciliation import recheck, runs
from reconciliation.filters import DiscrepancyFilter, ReconciliationFilter
from reconciliation.models import Discrepancy, ReconciliationRun
from syncflows.connectors.errors import ConnectorError

DISCREPANCIES = Discrepancy.objects.select_related("ticket", "first_seen", "last_seen").defer("ticket__context")


class TargetFailed(MeshlineError):
    """The connected system does not answer, or not as it should. The code is the connector's own."""

    default_code = "target_failed"
    http_status = 502


class ReconciliationList(ListOperation):
    """Comparisons, newest first; `post` asks for a new one."""

    required_scopes: Any = {"GET": Scope.RECONCILIATION_READ, "POST": Scope.RECONCILIATION_WRITE}
    queryset = ReconciliationRun.objects.all()
    serializer_class = shapes.ReconciliationOutput
    filterset_class = ReconciliationFilter

    @extend_schema(operation_id="listReconciliationRuns", tags=["reconciliation"], summary="Comparisons, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)

    @extend_schema(
        operation_id="startReconciliation",
        tags=["reconciliation"],
        summary="Compare a flow with its target now",
        description="Answers at once; a worker makes the comparison. Ask for the run until its status is completed or failed.",
        request=shapes.StartInput,
        responses={202: shapes.ReconciliationOutput},
    )
    @idempotent(atomic=False)  # the flow's lock must outlive the row that it protects
    def post(self, request: Request) -> Response:
        check_user_can(request.user, Ability.RECONCILE)
        asked = self.read(shapes.StartInput)
        run = runs.ask(flow=asked["flow"], window_days=asked.get("window_days"), by=self.actor)
        return Response(shapes.ReconciliationOutput(run).data, status=202)


class ReconciliationShow(Operation):
    """One comparison with its counts."""

    required_scopes = Scope.RECONCILIATION_READ
    serializer_class = shapes.ReconciliationOutput

    @extend_schema(
        operation_id="showReconciliationRun", tags=["reconciliation"], summary="A comparison with its counts"
    )
    def get(self, request: Request, public_id: str) -> Response:
        return Response(shapes.ReconciliationOutput(self.find(ReconciliationRun.objects.all(), public_id)).data)


class DiscrepancyList(ListOperation):
    """Records on which both sides do not agree, newest first."""

    required_scopes = Scope.RECONCILIATION_READ
    queryset = DISCREPANCIES.defer("ticket__context", "ours", "theirs")
    serializer_class = shapes.DiscrepancyOutput
    filterset_class = DiscrepancyFilter

    @extend_schema(operation_id="listDiscrepancies", tags=["reconciliation"], summary="Discrepancies, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)


class DiscrepancyShow(Operation):
    """One discrepancy with both sides."""

    required_scopes = Scope.RECONCILIATION_READ
    serializer_class = shapes.DiscrepancyDetailOutput

    @extend_schema(operation_id="showDiscrepancy", tags=["reconciliation"], summary="A discrepancy with both sides")
    def get(self, request: Request, public_id: str) -> Response:
        return Response(shapes.DiscrepancyDetailOutput(self.find(DISCREPANCIES, public_id)).data)


class DiscrepancyRecheck(Operation):
    """Looks at this key on both sides now. What agrees is resolved with its ticket; otherwise the answer says what still differs."""

    required_scopes = Scope.RECONCILIATION_WRITE
    serializer_class = shapes.RecheckOutput

    @extend_schema(
        operation_id="recheckDiscrepancy",
        tags=["reconciliation"],
        summary="Look at both sides again",
        request=shapes.RecheckInput,
        responses={200: shapes.RecheckOutput, 502: shapes.RecheckOutput},
    )
    @idempotent(atomic=False)  # it calls the target
    def post(self, request: Request, public_id: str) -> Response:
        check_user_can(request.user, Ability.RECONCILE)
        asked = self.read(shapes.RecheckInput)
        try:
            found = recheck.recheck(public_id, by=self.actor, note=asked.get("note", ""))
        except ConnectorError as error:
            raise TargetFailed(error.message, code=error.code, retryable=error.retryable) from error
        return Response(shapes.RecheckOutput(found).data)
