"""Events over the API: list and show. Sending them is `api_events`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.operations import ListOperation, Operation
from ownership.enums import Scope
from syncflows.engine import selectors
from syncflows.engine.api_shapes import EventDetailOutput, EventOutput
from syncflows.engine.filters import EventFilter


class EventList(ListOperation):
    """Events, newest first. The view that takes events (`api_events`) adds `post` to the same address."""

    required_scopes: Any = {"GET": Scope.EVENTS_READ}
    queryset = selectors.events()
    serializer_class = EventOutput
    filterset_class = EventFilter

    @extend_schema(operation_id="listEvents", tags=["events"], summary="Events, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)


class EventShow(Operation):
    """One event with its payload, its runs and its lineage."""

    required_scopes = Scope.EVENTS_READ
    serializer_class = EventDetailOutput

    @extend_schema(operation_id="showEvent", tags=["events"], summary="An event with payload, runs and lineage")
    def get(self, request: Request, public_id: str) -> Response:
        event: Any = self.find(selectors.events_in_full(), public_id)
        event.lineage = list(selectors.facts_of_event(event))
        return Response(EventDetailOutput(event).data)
