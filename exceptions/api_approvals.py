"""Approvals over the API: list, show, decide. Four eyes are checked by the service: a token decides only as a member of the approving team."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions import api_shapes as shapes
from exceptions import approvals, selectors
from exceptions.enums import Decision
from exceptions.filters import ApprovalFilter
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import ListOperation, Operation
from ownership.enums import Scope
from ownership.models import User


class ApprovalList(ListOperation):
    """Approvals, newest first, with the filters of the approvals page."""

    required_scopes = Scope.APPROVALS_READ
    queryset = selectors.approvals()
    serializer_class = shapes.ApprovalOutput
    filterset_class = ApprovalFilter

    @extend_schema(operation_id="listApprovals", tags=["approvals"], summary="Approvals, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)


class ApprovalShow(Operation):
    """One approval with the record as it was shown."""

    required_scopes = Scope.APPROVALS_READ
    serializer_class = shapes.ApprovalDetailOutput

    @extend_schema(operation_id="showApproval", tags=["approvals"], summary="An approval with what is decided on")
    def get(self, request: Request, public_id: str) -> Response:
        return Response(shapes.ApprovalDetailOutput(selectors.approval(public_id)).data)


class ApprovalDecide(Operation):
    """Approves or refuses, once, with a reason."""

    required_scopes = Scope.APPROVALS_DECIDE
    serializer_class = shapes.ApprovalDetailOutput

    @extend_schema(
        operation_id="decideApproval", tags=["approvals"], summary="Approve or refuse", request=shapes.DecideInput
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.DecideInput)
        assert isinstance(request.user, User)
        decide = approvals.grant if asked["decision"] == Decision.APPROVE else approvals.refuse
        decide(selectors.approval(public_id), by=request.user, reason=asked["reason"])
        return Response(shapes.ApprovalDetailOutput(selectors.approval(public_id)).data)
