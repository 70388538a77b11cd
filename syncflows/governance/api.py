"""Flows, contracts, owners and systems over the API. Reading only: definitions change as governed versions (`flows apply`)."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.operations import ListOperation, Operation
from meshline.kernel.errors import Missing
from ownership.enums import Scope
from ownership.models import FlowOwner, System
from syncflows.governance import api_shapes as shapes
from syncflows.governance.enums import Kind
from syncflows.governance.filters import DefinitionFilter, OwnerFilter, SystemFilter
from syncflows.governance.models import Definition, DefinitionVersion

OWNERS = FlowOwner.objects.select_related("person", "team", "fallback")


def definitions(kind: Kind) -> QuerySet[Definition]:
    return Definition.objects.filter(kind=kind).select_related("active")


def definition(kind: Kind, name: str) -> Any:
    """One definition with all its versions. Raises Missing."""
    versions = Prefetch("versions", DefinitionVersion.objects.defer("document").order_by("number"))
    found = definitions(kind).prefetch_related(versions).filter(name=name).first()
    if found is None:
        raise Missing(f"There is no {kind} named {name!r}.")
    return found


class FlowList(ListOperation):
    """Flows."""

    required_scopes = Scope.FLOWS_READ
    queryset = definitions(Kind.FLOW)
    serializer_class = shapes.FlowOutput
    filterset_class = DefinitionFilter

    @extend_schema(operation_id="listFlows", tags=["flows"], summary="Flows")
    def get(self, request: Request) -> Response:
        return super().get(request)


class FlowShow(Operation):
    """One flow with its steps, owners and versions."""

    required_scopes = Scope.FLOWS_READ
    serializer_class = shapes.FlowDetailOutput

    @extend_schema(operation_id="showFlow", tags=["flows"], summary="A flow with steps, owners and versions")
    def get(self, request: Request, name: str) -> Response:
        flow = definition(Kind.FLOW, name)
        flow.steps = flow.active.spec.get("steps", []) if flow.active else []
        flow.document = flow.active.document if flow.active else None
        flow.owners = OWNERS.filter(flow=name).order_by("role")
        return Response(shapes.FlowDetailOutput(flow).data)


class OwnerList(ListOperation):
    """The ownership matrix, cell by cell."""

    required_scopes = Scope.FLOWS_READ
    queryset = OWNERS
    serializer_class = shapes.OwnerOutput
    filterset_class = OwnerFilter

    @extend_schema(operation_id="listOwners", tags=["flows"], summary="The ownership matrix, cell by cell")
    def get(self, request: Request) -> Response:
        return super().get(request)


class ContractList(ListOperation):
    """Contracts."""

    required_scopes = Scope.FLOWS_READ
    queryset = definitions(Kind.CONTRACT)
    serializer_class = shapes.ContractOutput
    filterset_class = DefinitionFilter

    @extend_schema(operation_id="listContracts", tags=["contracts"], summary="Contracts")
    def get(self, request: Request) -> Response:
        return super().get(request)


class ContractShow(Operation):
    """One contract with its JSON Schema and versions."""

    required_scopes = Scope.FLOWS_READ
    serializer_class = shapes.ContractDetailOutput

    @extend_schema(operation_id="showContract", tags=["contracts"], summary="A contract with its JSON Schema")
    def get(self, request: Request, name: str) -> Response:
        return Response(shapes.ContractDetailOutput(definition(Kind.CONTRACT, name)).data)


class SystemList(ListOperation):
    """Connected applications and their state."""

    required_scopes = Scope.FLOWS_READ
    queryset = System.objects.all()
    serializer_class = shapes.SystemOutput
    filterset_class = SystemFilter

    @extend_schema(operation_id="listSystems", tags=["systems"], summary="Connected applications and their state")
    def get(self, request: Request) -> Response:
        return super().get(request)
