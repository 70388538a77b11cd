"""Replays over the API: ask for one with its preview, look at it and its records, start, pause, resume, cancel, and try the rest again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import ListOperation, Operation
from meshline.kernel.api.paging import OldestFirst
from ownership.enums import Scope
from ownership.models import User
from syncflows.engine.models import ReplayItem, ReplayJob
from syncflows.engine.replays import api_shapes as shapes
from syncflows.engine.replays import jobs, selection, selectors
from syncflows.engine.replays.api_filters import ReplayItemFilter, ReplayJobFilter
from syncflows.engine.replays.enums import ReplayStatus

TAGS = ["replays"]
ANSWER = shapes.ReplayDetailOutput


def shown(job: ReplayJob) -> dict[str, Any]:
    """A replay with its counts, as they are now."""
    job = jobs.get(job.public_id)
    newcomers = selection.newcomers(job) if job.status == ReplayStatus.PREVIEWED else 0
    parts = {"counts": selectors.counts(job), "runnable": jobs.runnable(job), "newcomers": newcomers}
    return {**shapes.ReplayOutput(job).data, **shapes.ReplayPartsOutput(parts).data}


class Replays(ListOperation):
    """Replays, newest first; and asking for one."""

    required_scopes = {"GET": Scope.EVENTS_READ, "POST": Scope.RUNS_WRITE}
    queryset = selectors.jobs()
    serializer_class = shapes.ReplayOutput
    filterset_class = ReplayJobFilter

    @extend_schema(operation_id="listReplays", tags=TAGS, summary="Replays, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)

    @extend_schema(
        operation_id="createReplay", tags=TAGS, summary="Ask for a replay; its preview begins", request=shapes.ReplayJobInput, responses={201: ANSWER},
        description="Nothing is written, here or outside. One record is previewed at once, more in the background: ask again until its status is `previewed`.",
    )  # fmt: skip
    @idempotent(atomic=False)
    def post(self, request: Request) -> Response:
        asked = self.read(shapes.ReplayJobInput)
        chosen = {name: asked[name] for name in ("ids", "filter") if name in asked}
        how = jobs.How(asked["versions"], asked["from_step"], asked["correction"], asked["looks"], asked["per_second"])
        job = jobs.ask(chosen, how, by=_person(request), reason=asked["reason"])
        return Response(shown(job), status=201)


class ReplayShow(Operation):
    """One replay: what was asked for, how far it is, and what its records came to."""

    required_scopes = Scope.EVENTS_READ
    serializer_class = ANSWER

    @extend_schema(operation_id="showReplay", tags=TAGS, summary="A replay with its counts")
    def get(self, request: Request, public_id: str) -> Response:
        return Response(shown(jobs.get(public_id)))


class ReplayRecords(ListOperation):
    """Each record with its verdict, the documents, the difference to the target, and what became of it; in their order."""

    required_scopes = Scope.EVENTS_READ
    queryset = ReplayItem.objects.none()
    serializer_class = shapes.ReplayRecordOutput
    pagination_class = OldestFirst
    filterset_class = ReplayItemFilter

    @extend_schema(operation_id="listReplayRecords", tags=TAGS, summary="The records of a replay")
    def get(self, request: Request, public_id: str) -> Response:
        rows = self.filter_queryset(selectors.items(jobs.get(public_id)))
        return self.get_paginated_response(shapes.ReplayRecordOutput(self.paginate_queryset(rows), many=True).data)


class ReplayAct(Operation):
    """One act on a replay; answers it as it is then."""

    required_scopes = Scope.RUNS_WRITE
    serializer_class = ANSWER


class ReplayStart(ReplayAct):
    """Runs what was previewed, and nothing else."""

    @extend_schema(
        operation_id="startReplay",
        tags=TAGS,
        summary="Start what was previewed",
        request=shapes.NoInput,
        responses=ANSWER,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        self.read(shapes.NoInput)
        return Response(shown(jobs.start(jobs.get(public_id), by=_person(request))))


class ReplayPause(ReplayAct):
    """Starts no more for now; what has begun ends."""

    @extend_schema(operation_id="pauseReplay", tags=TAGS, summary="Pause", request=shapes.NoInput, responses=ANSWER)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        self.read(shapes.NoInput)
        return Response(shown(jobs.pause(jobs.get(public_id), by=_person(request))))


class ReplayResume(ReplayAct):
    @extend_schema(operation_id="resumeReplay", tags=TAGS, summary="Go on", request=shapes.NoInput, responses=ANSWER)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        self.read(shapes.NoInput)
        return Response(shown(jobs.resume(jobs.get(public_id), by=_person(request))))


class ReplayCancel(ReplayAct):
    """What has begun ends by itself, the rest stays untouched."""

    @extend_schema(operation_id="cancelReplay", tags=TAGS, summary="Cancel", request=shapes.NoInput, responses=ANSWER)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        self.read(shapes.NoInput)
        return Response(shown(jobs.cancel(jobs.get(public_id), by=_person(request))))


class ReplayAgain(ReplayAct):
    """A new replay of what failed, changed since the preview, or was not reached."""

    @extend_schema(
        operation_id="repeatReplay",
        tags=TAGS,
        summary="Preview the rest again",
        request=shapes.AgainInput,
        responses={201: ANSWER},
    )
    @idempotent(atomic=False)
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.AgainInput)
        return Response(shown(jobs.again(jobs.get(public_id), by=_person(request), reason=asked["reason"])), status=201)


def _person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
