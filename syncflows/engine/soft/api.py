"""The soft ledger over the API: list, show, promote, adopt, approve, revoke, compare; many at once; imports. Services decide and write."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api import query
from meshline.kernel.api.fields import amount
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import ListOperation, Operation
from meshline.kernel.api.paging import OldestFirst
from meshline.kernel.errors import Missing
from ownership.enums import Scope
from ownership.models import User
from syncflows.engine.enums import StagedAction
from syncflows.engine.soft import acts, api_shapes, batches, bulk, comparing, permissions, selectors
from syncflows.engine.soft.filters import StagedFilter
from syncflows.engine.soft.models import StagedBatch, StagedBulk, StagedBulkItem, StagedDocument

TAGS = ["staged documents"]
IMPORTS_LISTED = 200


class StagedList(ListOperation):
    """Staged documents, newest first."""

    required_scopes = Scope.STAGED_READ
    queryset = selectors.documents()
    serializer_class = api_shapes.StagedOutput
    filterset_class = StagedFilter

    @extend_schema(operation_id="listStagedDocuments", tags=TAGS, summary="Staged documents, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)


class StagedShow(Operation):
    """One staged document with its content, differences and lineage."""

    required_scopes = Scope.STAGED_READ
    serializer_class = api_shapes.StagedDetailOutput

    @extend_schema(operation_id="showStagedDocument", tags=TAGS, summary="A staged document with its lineage")
    def get(self, request: Request, public_id: str) -> Response:
        return _shown(self, public_id)


class StagedActOperation(Operation):
    """What acts on one document share."""

    required_scopes = Scope.STAGED_WRITE
    serializer_class = api_shapes.StagedDetailOutput
    action: StagedAction

    def act(self, request: Request, public_id: str) -> Response:
        row: StagedDocument = self.find(StagedDocument.objects.all(), public_id)
        reason = self.read(api_shapes.StagedReasonInput)["reason"]
        assert isinstance(request.user, User)
        acts.only(acts.perform(self.action, [row.pk], by=request.user, reason=reason))
        return _shown(self, public_id)


def _described(operation_id: str, summary: str) -> Any:
    return extend_schema(
        operation_id=operation_id,
        tags=TAGS,
        summary=summary,
        request=api_shapes.StagedReasonInput,
        responses=api_shapes.StagedDetailOutput,
    )


class StagedPromote(StagedActOperation):
    """The record goes on: looked up in the target first, then written."""

    action = StagedAction.PROMOTE

    @_described("promoteStagedDocument", "Promote a staged document")
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(request, public_id)


class StagedAdopt(StagedActOperation):
    """Takes over what the target has already; never writes."""

    action = StagedAction.ADOPT

    @_described("adoptStagedDocument", "Adopt what the target has already")
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(request, public_id)


class StagedApprove(StagedActOperation):
    """By four eyes: never who imported, asked for or corrected it."""

    action = StagedAction.APPROVE

    @_described("approveStagedDocument", "Approve exactly this staged document")
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(request, public_id)


class StagedRevoke(StagedActOperation):
    """Closes the record, unwritten."""

    action = StagedAction.REVOKE

    @_described("revokeStagedDocument", "Revoke a staged document")
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(request, public_id)


class StagedCompare(Operation):
    """Asks the target what it holds now."""

    required_scopes = Scope.STAGED_WRITE
    serializer_class = api_shapes.StagedDetailOutput

    @extend_schema(
        operation_id="compareStagedDocument",
        tags=TAGS,
        summary="Compare a staged document with the target",
        request=None,
    )
    @idempotent(atomic=False)
    def post(self, request: Request, public_id: str) -> Response:
        permissions.check_user_can_act(_user(request), StagedAction.COMPARE)
        row = self.find(selectors.documents(), public_id)
        _, errors = comparing.compare([row], by=self.actor)
        if row.pk in errors:
            raise errors[row.pk]
        return _shown(self, public_id)


class StagedBulkStart(Operation):
    """One act on many, carried by workers; `dry_run` says what it would do."""

    required_scopes = Scope.STAGED_WRITE
    serializer_class = api_shapes.StagedBulkOutput

    @extend_schema(
        operation_id="bulkStagedDocuments",
        tags=TAGS,
        summary="Act on many staged documents",
        request=api_shapes.StagedBulkInput,
        responses={200: api_shapes.StagedBulkOutput, 202: api_shapes.StagedBulkOutput},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        asked = self.read(api_shapes.StagedBulkInput)
        by = _user(request)
        found = bulk.make(StagedAction(asked["action"]), _chosen(asked, request), by=by)
        if asked["dry_run"]:
            return Response(_bulk_body(found, bulk.preview(found)))
        found = bulk.ask(found, reason=asked["reason"], by=by)
        return Response(_bulk_body(found), status=status.HTTP_202_ACCEPTED)


class StagedBulkShow(Operation):
    """How far a bulk act is."""

    required_scopes = Scope.STAGED_READ
    serializer_class = api_shapes.StagedBulkOutput

    @extend_schema(operation_id="showStagedBulk", tags=TAGS, summary="A bulk act and how far it is")
    def get(self, request: Request, public_id: str) -> Response:
        return Response(_bulk_body(bulk.get(public_id, by=_user(request))))


class StagedBulkCancel(Operation):
    """Stops it; what is done stays done."""

    required_scopes = Scope.STAGED_WRITE
    serializer_class = api_shapes.StagedBulkOutput

    @extend_schema(operation_id="cancelStagedBulk", tags=TAGS, summary="Stop a bulk act", request=None)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        by = _user(request)
        return Response(_bulk_body(bulk.cancel(bulk.get(public_id, by=by), by=by)))


class StagedBulkResults(ListOperation):
    """What became of each document of a bulk act."""

    required_scopes = Scope.STAGED_READ
    queryset = StagedBulkItem.objects.none()
    serializer_class = api_shapes.StagedResultOutput
    pagination_class = OldestFirst

    @extend_schema(operation_id="listStagedBulkResults", tags=TAGS, summary="The results of a bulk act")
    def get(self, request: Request, public_id: str) -> Response:
        found = bulk.get(public_id, by=_user(request))
        page = self.paginate_queryset(found.items.select_related("document"))
        return self.get_paginated_response(api_shapes.StagedResultOutput(page, many=True).data)


class StagedImportList(Operation):
    """The newest 200 staged imports."""

    required_scopes = Scope.STAGED_READ
    serializer_class = api_shapes.StagedImportOutput

    @extend_schema(
        operation_id="listStagedImports",
        tags=TAGS,
        summary="Staged imports, newest first",
        responses=api_shapes.StagedImportOutput(many=True),
    )
    def get(self, request: Request) -> Response:
        found = batches.standings(list(StagedBatch.objects.order_by("-pk")[:IMPORTS_LISTED]))
        return Response([_import_body(standing) for standing in found])


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _shown(operation: Operation, public_id: str) -> Response:
    row: Any = operation.find(selectors.documents(), public_id)
    row.lineage = selectors.facts(row)
    return Response(api_shapes.StagedDetailOutput(row).data)


def _chosen(asked: dict[str, Any], request: Request) -> QuerySet[StagedDocument]:
    """Raises Missing for an id that nothing has, BadQuery for a filter that cannot be read."""
    rows = StagedDocument.objects.all()
    if "ids" not in asked:
        return query.filtered(StagedFilter, asked["filter"], rows, request)
    found = rows.filter(public_id__in=asked["ids"])
    unknown = sorted(set(asked["ids"]) - set(found.values_list("public_id", flat=True)))
    if unknown:
        raise Missing(
            f"There is no staged document {', '.join(unknown[:5])}. Nothing was done.", context={"ids": unknown}
        )
    return found


def _bulk_body(found: StagedBulk, seen: bulk.Preview | None = None) -> dict[str, Any]:
    refusals = seen.refusals.most_common(50) if seen else []
    told: dict[str, Any] = {
        **{name: getattr(found, name) for name in ("public_id", "action", "total", "asked_at", "ended_at", "cancelled_at", "problem")},
        **bulk.counts(found), "dry_run": seen is not None, "allowed": seen.allowed if seen else None,
        "amounts": [amount(value, code) for code, value in sorted(seen.amounts.items())] if seen else [],
        "verdicts": dict(seen.verdicts) if seen else {}, "refusals": [{"message": text, "count": number} for text, number in refusals],
    }  # fmt: skip
    return dict(api_shapes.StagedBulkOutput(told).data)


def _import_body(standing: batches.Standing) -> dict[str, Any]:
    told = {
        "batch": standing.batch, "documents": {value: number for value, _, number in standing.statuses},
        "verdicts": {value or "none": number for value, _, number in standing.verdicts},
        "amounts": [amount(value, code) for code, value in standing.amounts], "runs": standing.runs,
    }  # fmt: skip
    return dict(api_shapes.StagedImportOutput(told).data)
