"""One act on many tickets or approvals over the API: first what it would do (`dry_run`), then record by record.

A record that is refused does not stop the others: each result says why.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import FilterSet
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions import bulk
from exceptions.api_tickets import assignee
from exceptions.bulk import Options
from exceptions.enums import ON_APPROVALS, BulkAction, Decision, Resolution
from exceptions.filters import ApprovalFilter, TicketFilter
from exceptions.models import Approval, Ticket
from meshline.kernel.api import query
from meshline.kernel.api.fields import amount
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import Operation
from meshline.kernel.errors import Invalid, Missing
from ownership.enums import Scope
from ownership.models import User

MOST_AT_ONCE = 500
ON_TICKETS = [(item.value, item.label) for item in BulkAction if item not in ON_APPROVALS]
NEEDS_NO_REASON = (BulkAction.ASSIGN, BulkAction.ACKNOWLEDGE)


class BulkInput(serializers.Serializer):
    """Which records, by `ids` or by `filter` (the names and values of the list's query parameters), and whether to do it at all."""

    ids = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, min_length=1, max_length=MOST_AT_ONCE
    )
    filter = serializers.DictField(child=serializers.CharField(max_length=300), required=False)
    reason = serializers.CharField(max_length=5000, required=False, allow_blank=True, default="")
    dry_run = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give either ids or filter.")
        return attrs


class TicketBulkInput(BulkInput):
    """`person` or `team` for assign, `resolution` for resolve; a reason for all but assign and acknowledge."""

    action = serializers.ChoiceField(choices=ON_TICKETS)
    person = serializers.CharField(required=False, allow_null=True, max_length=150, help_text="username, for assign")
    team = serializers.CharField(required=False, allow_null=True, max_length=60, help_text="name, for assign")
    resolution = serializers.ChoiceField(choices=Resolution.choices, required=False, help_text="for resolve")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["action"] == BulkAction.RESOLVE and not attrs.get("resolution"):
            raise serializers.ValidationError({"resolution": "resolve takes one of: " + ", ".join(Resolution.values)})
        return super().validate(attrs)


class ApprovalBulkInput(BulkInput):
    decision = serializers.ChoiceField(choices=Decision.choices)


class MoneyOutput(serializers.Serializer):
    amount = serializers.CharField()
    currency = serializers.CharField()


class RefusalOutput(serializers.Serializer):
    message = serializers.CharField()
    count = serializers.IntegerField()


class BulkPreviewOutput(serializers.Serializer):
    """What it would do. Nothing was written."""

    dry_run = serializers.BooleanField()
    action = serializers.ChoiceField(choices=BulkAction.choices)
    total = serializers.IntegerField()
    allowed = serializers.IntegerField()
    refused = serializers.IntegerField()
    amounts = MoneyOutput(many=True)
    refusals = RefusalOutput(many=True)


class BulkResultOutput(serializers.Serializer):
    id = serializers.CharField()
    done = serializers.BooleanField()
    code = serializers.CharField(help_text="empty where it was done")
    problem = serializers.CharField(help_text="why not; empty where it was done")


class BulkOutput(serializers.Serializer):
    """What was done, record by record."""

    dry_run = serializers.BooleanField()
    action = serializers.ChoiceField(choices=BulkAction.choices)
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = BulkResultOutput(many=True)


ANSWER = PolymorphicProxySerializer("BulkAnswer", [BulkOutput, BulkPreviewOutput], resource_type_field_name=None)


class TicketBulk(Operation):
    """Each record in its own transaction, so the call is not one; with an Idempotency-Key it is still done once."""

    required_scopes = Scope.TICKETS_WRITE
    serializer_class = BulkOutput

    @extend_schema(
        operation_id="bulkTickets",
        tags=["tickets"],
        summary="One act on many tickets",
        request=TicketBulkInput,
        responses=ANSWER,
    )
    @idempotent(atomic=False)
    def post(self, request: Request) -> Response:
        asked = self.read(TicketBulkInput)
        options = Options(to=assignee(asked), resolution=asked.get("resolution", ""))
        rows = _chosen(Ticket.objects.all(), TicketFilter, asked, request)
        return _answer(rows, BulkAction(asked["action"]), asked, options, request)


class ApprovalBulk(Operation):
    """Approves or refuses many, each by four eyes of its own."""

    required_scopes = Scope.APPROVALS_DECIDE
    serializer_class = BulkOutput

    @extend_schema(
        operation_id="bulkApprovals",
        tags=["approvals"],
        summary="Decide many approvals",
        request=ApprovalBulkInput,
        responses=ANSWER,
    )
    @idempotent(atomic=False)
    def post(self, request: Request) -> Response:
        asked = self.read(ApprovalBulkInput)
        action = BulkAction.GRANT if asked["decision"] == Decision.APPROVE else BulkAction.REFUSE
        rows = _chosen(Approval.objects.all(), ApprovalFilter, asked, request)
        return _answer(rows, action, asked, Options(), request)


def _chosen(
    rows: QuerySet[Any], filterset_class: type[FilterSet], asked: dict[str, Any], request: Request
) -> QuerySet[Any]:
    """Raises Missing for an id that nothing has, BadQuery for a filter that cannot be read, Invalid for more than can be done at once."""
    if "ids" in asked:
        found = rows.filter(public_id__in=asked["ids"])
        unknown = sorted(set(asked["ids"]) - set(found.values_list("public_id", flat=True)))
        if unknown:
            raise Missing(
                f"There is no {rows.model._meta.verbose_name} {', '.join(unknown[:5])}. Nothing was done.",
                context={"ids": unknown},
            )
        return found
    found = query.filtered(filterset_class, asked["filter"], rows, request)
    number = found.order_by().count()
    if number > MOST_AT_ONCE:
        raise Invalid(
            f"The filter finds {number} records; one call acts on at most {MOST_AT_ONCE}. Narrow the filter.",
            code="too_many_records",
        )
    return found


def _answer(
    rows: QuerySet[Any], action: BulkAction, asked: dict[str, Any], options: Options, request: Request
) -> Response:
    assert isinstance(request.user, User)
    if asked["dry_run"]:
        return Response(
            BulkPreviewOutput(_previewed(bulk.preview(rows, action, by=request.user, options=options))).data
        )
    results = bulk.perform(rows, action, by=request.user, reason=asked["reason"], options=options)
    told = [{"id": item.ident, "done": item.done, "code": item.code, "problem": item.problem} for item in results]
    done = sum(item.done for item in results)
    head = {
        "dry_run": False,
        "action": action.value,
        "total": len(results),
        "done": done,
        "refused": len(results) - done,
    }
    return Response(BulkOutput({**head, "results": told}).data)


def _previewed(found: bulk.Preview) -> dict[str, Any]:
    head = {
        "dry_run": True,
        "action": found.action.value,
        "total": found.total,
        "allowed": found.allowed,
        "refused": found.refused,
    }
    refusals = [{"message": message, "count": count} for message, count in found.refusals.most_common()]
    return {
        **head,
        "amounts": [amount(value, currency) for currency, value in sorted(found.amounts.items())],
        "refusals": refusals,
    }
