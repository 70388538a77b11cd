"""Reconciliation runs and discrepancies over the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.operations import ListOperation, Operation
from ownership.enums import Scope
from reconciliation import api_shapes as shapes
from reconciliation.filters import DiscrepancyFilter, ReconciliationFilter
from reconciliation.models import Discrepancy, ReconciliationRun

DISCREPANCIES = Discrepancy.objects.select_related("ticket", "first_seen", "last_seen").defer("ticket__context")


class ReconciliationList(ListOperation):
    """Comparisons, newest first."""

    required_scopes = {"GET": Scope.RECONCILIATION_READ}
    queryset = ReconciliationRun.objects.all()
    serializer_class = shapes.ReconciliationOutput
    filterset_class = ReconciliationFilter

    @extend_schema(operation_id="listReconciliationRuns", tags=["reconciliation"], summary="Comparisons, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)


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
