"""Acts on runs over the API: on one, and on many by ids or by filter, with a preview. The services check and write."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api import query
from meshline.kernel.api.fields import Time, amount
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import Operation
from meshline.kernel.errors import Missing
from ownership.enums import Scope
from ownership.models import User
from syncflows.engine import budgets, selectors, unrouted
from syncflows.engine.api_shapes import RunDetailOutput
from syncflows.engine.control import acts, bulk, bulk_jobs
from syncflows.engine.control.enums import RunAct
from syncflows.engine.control.models import RunBulk
from syncflows.engine.filters import RunFilter
from syncflows.engine.models import Run
from syncflows.governance import catalog

IDS_MOST = 1000
RESULTS_SHOWN = 1000


class OptionalReasonInput(serializers.Serializer):
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class RetryNowInput(OptionalReasonInput):
    restart_budget = serializers.BooleanField(
        default=False, help_text="whether it may fail as often and as long as its policy allows, from now on"
    )


class NeededReasonInput(serializers.Serializer):
    reason = serializers.CharField(max_length=2000, help_text="one sentence; becomes part of the record's lineage")


class RunBulkInput(OptionalReasonInput):
    """Which runs, by `ids` or by `filter` (names and values of the list's query parameters), and whether to do it at all."""

    action = serializers.ChoiceField(choices=RunAct.choices)
    ids = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, min_length=1, max_length=IDS_MOST
    )
    filter = serializers.DictField(child=serializers.CharField(max_length=300), required=False)
    restart_budget = serializers.BooleanField(default=False, help_text="for retry_now")
    dry_run = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give either ids or filter.")
        return attrs


class RunMoneyOutput(serializers.Serializer):
    amount = serializers.CharField()
    currency = serializers.CharField()


class RunRefusalOutput(serializers.Serializer):
    message = serializers.CharField()
    count = serializers.IntegerField()


class RunBulkPreviewOutput(serializers.Serializer):
    """What it would do. Nothing was written."""

    dry_run = serializers.BooleanField()
    action = serializers.ChoiceField(choices=RunAct.choices)
    total = serializers.IntegerField()
    allowed = serializers.IntegerField()
    refused = serializers.IntegerField()
    amounts = RunMoneyOutput(many=True)
    refusals = RunRefusalOutput(many=True)


class RunBulkResultOutput(serializers.Serializer):
    id = serializers.CharField()
    problem = serializers.CharField(help_text="why not; empty where it was done")
    code = serializers.CharField(help_text="empty where it was done")


class RunBulkOutput(serializers.Serializer):
    """How far it is; at most 1,000 results are listed, refused ones first."""

    id = serializers.CharField(source="public_id")
    action = serializers.ChoiceField(choices=RunAct.choices)
    total = serializers.SerializerMethodField()
    handled = serializers.SerializerMethodField()
    refused = serializers.SerializerMethodField()
    asked_at = Time(allow_null=True)
    cancelled_at = Time(allow_null=True)
    ended_at = Time(allow_null=True)
    problem = serializers.CharField(help_text="why it could not be carried out as a whole; else empty")
    results = serializers.SerializerMethodField()

    def get_total(self, job: RunBulk) -> int:
        return len(job.idents)

    def get_handled(self, job: RunBulk) -> int:
        return len(job.results)

    def get_refused(self, job: RunBulk) -> int:
        return sum(bool(item["problem"]) for item in job.results)

    @extend_schema_field(RunBulkResultOutput(many=True))
    def get_results(self, job: RunBulk) -> list[dict[str, str]]:
        return sorted(job.results, key=lambda item: not item["problem"])[:RESULTS_SHOWN]


class RunActOperation(Operation):
    """One act on one run; answers the run as it is then."""

    required_scopes = Scope.RUNS_WRITE
    serializer_class: Any = RunDetailOutput

    def act(self, act: RunAct, public_id: str, asked: dict[str, Any]) -> Response:
        assert isinstance(self.request.user, User)
        run = self.find(Run.objects.only("pk", "public_id"), public_id)
        acts.do(act, run.pk, by=self.request.user, **asked)
        return Response(shown(public_id))


def shown(public_id: str) -> Any:
    """A run in full."""
    run: Any = selectors.runs_in_full().get(public_id=public_id)
    run.lineage = list(selectors.facts_of_run(run))
    run.outlook = budgets.outlook(run, budgets.next_of(run.steps.all()), catalog.current())
    return RunDetailOutput(run).data


class RunRetryNow(RunActOperation):
    """Due at once. A run that had stopped starts with a fresh budget, and its ticket ends."""

    @extend_schema(
        operation_id="retryRunNow", tags=["runs"], summary="Retry now", request=RetryNowInput, responses=RunDetailOutput
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(RunAct.RETRY_NOW, public_id, self.read(RetryNowInput))


class RunPause(RunActOperation):
    """Stops it until it is resumed; newer events of its record wait behind it."""

    @extend_schema(
        operation_id="pauseRun", tags=["runs"], summary="Pause", request=NeededReasonInput, responses=RunDetailOutput
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(RunAct.PAUSE, public_id, self.read(NeededReasonInput))


class RunResume(RunActOperation):
    """Lets a paused run go on, and what waits behind it."""

    @extend_schema(
        operation_id="resumeRun",
        tags=["runs"],
        summary="Resume",
        request=OptionalReasonInput,
        responses=RunDetailOutput,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(RunAct.RESUME, public_id, self.read(OptionalReasonInput))


class RunSkip(RunActOperation):
    """Goes on without the failed step, where the flow says `skippable: true`."""

    @extend_schema(
        operation_id="skipRunStep", tags=["runs"], summary="Skip the failed step", request=NeededReasonInput,
        responses=RunDetailOutput,
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(RunAct.SKIP, public_id, self.read(NeededReasonInput))


class RunGiveUp(RunActOperation):
    """Ends it without its outcome. What it wrote stays somebody's, as a ticket."""

    @extend_schema(
        operation_id="giveRunUp", tags=["runs"], summary="Give up", request=NeededReasonInput, responses=RunDetailOutput
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return self.act(RunAct.GIVE_UP, public_id, self.read(NeededReasonInput))


class RouteInput(serializers.Serializer):
    reason = serializers.CharField(
        max_length=2000, required=False, allow_blank=True, help_text="needed unless it is a dry run"
    )
    dry_run = serializers.BooleanField(default=False)


class RouteOutput(serializers.Serializer):
    """What waited, and how many of it were routed; after a dry run none."""

    flow = serializers.CharField()
    events = serializers.IntegerField()
    records = serializers.IntegerField()
    oldest = Time(allow_null=True)
    newest = Time(allow_null=True)
    routed = serializers.IntegerField()


class FlowRouteUnrouted(Operation):
    """Gives a run of this flow to each event that no live flow wanted when it arrived; at most 5,000 at once."""

    required_scopes = Scope.RUNS_WRITE
    serializer_class = RouteOutput

    @extend_schema(
        operation_id="routeUnrouted",
        tags=["flows"],
        summary="Route unrouted events",
        request=RouteInput,
        responses=RouteOutput,
    )
    @idempotent(atomic=False)
    def post(self, request: Request, name: str) -> Response:
        asked, by = self.read(RouteInput), request.user
        assert isinstance(by, User)
        found = vars(unrouted.preview(name))
        routed = 0 if asked["dry_run"] else unrouted.route(name, by=by, reason=asked.get("reason", ""))
        return Response(RouteOutput({**found, "routed": routed}).data)


ANSWER = PolymorphicProxySerializer(
    "RunBulkAnswer", [RunBulkOutput, RunBulkPreviewOutput], resource_type_field_name=None
)


class RunBulkStart(Operation):
    """Up to 50 runs are done before it answers; more are carried by a worker, at a pace: ask `showRunBulk` how far it is."""

    required_scopes = Scope.RUNS_WRITE
    serializer_class = RunBulkOutput

    @extend_schema(
        operation_id="bulkRuns",
        tags=["runs"],
        summary="One act on many runs",
        request=RunBulkInput,
        responses={200: ANSWER},
    )
    @idempotent(atomic=False)
    def post(self, request: Request) -> Response:
        asked, by = self.read(RunBulkInput), request.user
        assert isinstance(by, User)
        act, idents = RunAct(asked["action"]), _chosen(asked, request)
        if asked["dry_run"]:
            return Response(RunBulkPreviewOutput(_previewed(act, bulk.preview(idents, act, by=by))).data)
        job = bulk_jobs.make(act, idents, by=by, restart_budget=asked["restart_budget"])
        return Response(RunBulkOutput(bulk_jobs.ask(job, reason=asked["reason"])).data)


class RunBulkShow(Operation):
    """One's own bulk act: how far it is, and what became of each run."""

    required_scopes = Scope.EVENTS_READ
    serializer_class = RunBulkOutput

    @extend_schema(operation_id="showRunBulk", tags=["runs"], summary="A bulk act on runs")
    def get(self, request: Request, public_id: str) -> Response:
        assert isinstance(request.user, User)
        return Response(RunBulkOutput(bulk_jobs.get(public_id, by=request.user)).data)


class RunBulkCancel(Operation):
    """Does no more of it; what is done stays done."""

    required_scopes = Scope.RUNS_WRITE
    serializer_class = RunBulkOutput

    @extend_schema(
        operation_id="cancelRunBulk", tags=["runs"], summary="Cancel a bulk act", request=None, responses=RunBulkOutput
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        assert isinstance(request.user, User)
        return Response(RunBulkOutput(bulk_jobs.cancel(bulk_jobs.get(public_id, by=request.user))).data)


def _chosen(asked: dict[str, Any], request: Request) -> list[str]:
    """Raises Missing for an id that nothing has, BadQuery for a filter that cannot be read."""
    if "filter" in asked:
        found = query.filtered(RunFilter, asked["filter"], Run.objects.all(), request)
        return list(found.order_by("pk").values_list("public_id", flat=True)[: bulk_jobs.MOST + 1])
    known = set(Run.objects.filter(public_id__in=asked["ids"]).values_list("public_id", flat=True))
    unknown = sorted(set(asked["ids"]) - known)
    if unknown:
        raise Missing(f"There is no run {', '.join(unknown[:5])}. Nothing was done.", context={"ids": unknown})
    return list(dict.fromkeys(asked["ids"]))


def _previewed(act: RunAct, found: bulk.Preview) -> dict[str, Any]:
    return {
        "dry_run": True, "action": act.value, "total": found.total, "allowed": found.allowed, "refused": found.refused,
        "amounts": [amount(value, currency) for currency, value in sorted(found.amounts.items())],
        "refusals": [{"message": message, "count": count} for message, count in found.refusals.most_common()],
    }  # fmt: skip
