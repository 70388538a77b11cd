"""Tickets over the API: list as the queue page does, show, and every act a person has on a page. Services check and write."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from exceptions import api_shapes as shapes
from exceptions import approvals, fixing, permissions, repairs, selectors, tickets
from exceptions.filters import TicketFilter
from exceptions.models import Ticket
from meshline.kernel.api.idempotency import idempotent
from meshline.kernel.api.operations import ListOperation, Operation
from meshline.kernel.errors import Invalid
from ownership.enums import Scope
from ownership.models import Team, User

PREVIEW = "preview"
ANSWER = shapes.TicketDetailOutput


def shown(public_id: str) -> dict[str, Any]:
    """A ticket in full, as the page shows it."""
    found = selectors.detail(public_id)
    parts = {
        "context": found.ticket.context,
        "payload": fixing.current_payload(found.ticket),
        "timeline": found.entries,
        "approvals": found.approvals,
        "steps": found.steps,
        "lineage": found.lineage,
        "resolutions_by_hand": [item.value for item in permissions.resolutions_by_hand(found.ticket)],
        "links": shapes.links_of(found.ticket, found.approvals),
    }
    return {**shapes.TicketOutput(found.ticket).data, **shapes.TicketPartsOutput(parts).data}


class TicketList(ListOperation):
    """Tickets, newest first, with the filters of the queue page."""

    required_scopes = Scope.TICKETS_READ
    queryset = selectors.tickets()
    serializer_class = shapes.TicketOutput
    filterset_class = TicketFilter

    @extend_schema(operation_id="listTickets", tags=["tickets"], summary="Tickets, newest first")
    def get(self, request: Request) -> Response:
        return super().get(request)


class TicketShow(Operation):
    """One ticket with timeline, approvals, steps, lineage and what to do."""

    required_scopes = Scope.TICKETS_READ
    serializer_class = ANSWER

    @extend_schema(operation_id="showTicket", tags=["tickets"], summary="A ticket in full")
    def get(self, request: Request, public_id: str) -> Response:
        return Response(shown(public_id))


class TicketAct(Operation):
    """One act on one ticket; answers the ticket as it is then."""

    required_scopes = Scope.TICKETS_WRITE
    serializer_class: Any = ANSWER

    def ticket(self, public_id: str) -> Ticket:
        return selectors.ticket(public_id)

    @property
    def person(self) -> User:
        """Who acts: a person, or the service user behind a token."""
        assert isinstance(self.request.user, User)
        return self.request.user


class TicketComment(TicketAct):
    """Adds a line to the timeline; on resolved tickets too."""

    @extend_schema(
        operation_id="commentTicket",
        tags=["tickets"],
        summary="Comment",
        request=shapes.CommentInput,
        responses={201: shapes.EntryOutput},
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.CommentInput)
        line = tickets.comment(self.ticket(public_id), text=asked["text"], by=self.person)
        return Response(shapes.EntryOutput(line).data, status=201)


class TicketAssign(TicketAct):
    """Gives it to a person, to a team's queue, or back to its queue."""

    @extend_schema(
        operation_id="assignTicket", tags=["tickets"], summary="Assign", request=shapes.AssignInput, responses=ANSWER
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.AssignInput)
        tickets.assign(self.ticket(public_id), to=assignee(asked), by=self.person)
        return Response(shown(public_id))


class TicketAcknowledge(TicketAct):
    """Takes it in work; who takes an unowned one owns it."""

    @extend_schema(
        operation_id="acknowledgeTicket",
        tags=["tickets"],
        summary="Take in work",
        request=shapes.NothingInput,
        responses=ANSWER,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        self.read(shapes.NothingInput)
        tickets.acknowledge(self.ticket(public_id), by=self.person)
        return Response(shown(public_id))


class TicketWait(TicketAct):
    """Lets it wait for somebody outside; its clock runs on."""

    @extend_schema(
        operation_id="waitTicket", tags=["tickets"], summary="Let wait", request=shapes.ReasonInput, responses=ANSWER
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.ReasonInput)
        tickets.wait(self.ticket(public_id), reason=asked["reason"], by=self.person)
        return Response(shown(public_id))


class TicketFix(TicketAct):
    """Corrects the payload and runs the record again. The dry run shows the field diff and what to think of; it writes nothing."""

    query_names = frozenset({PREVIEW})

    @extend_schema(
        operation_id="fixTicket", tags=["tickets"], summary="Correct the payload and replay", request=shapes.FixInput,
        parameters=[OpenApiParameter(PREVIEW, enum=["1", "true"], description="the same as `dry_run: true`")],
        responses=PolymorphicProxySerializer("FixAnswer", [ANSWER, shapes.FixPreviewOutput], resource_type_field_name=None),
    )  # fmt: skip
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked, ticket = self.read(shapes.FixInput), self.ticket(public_id)
        if asked["dry_run"] or request.query_params.get(PREVIEW) in ("1", "true"):
            permissions.check_user_can_fix(self.person, ticket)
            found = fixing.preview(ticket, asked["payload"])
            told = {"dry_run": True, "changes": found.changes, "warnings": found.warnings}
            return Response(shapes.FixPreviewOutput(told).data)
        step = asked.get("from_step") or None
        fixing.fix_and_replay(
            ticket, payload=asked["payload"], reason=asked.get("reason", ""), by=self.person, from_step=step
        )
        return Response(shown(public_id))


class TicketReplay(TicketAct):
    """Runs the record again unchanged: what was wrong was elsewhere."""

    @extend_schema(
        operation_id="replayTicket", tags=["tickets"], summary="Replay", request=shapes.ReplayInput, responses=ANSWER
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.ReplayInput)
        step = asked.get("from_step") or None
        fixing.replay(self.ticket(public_id), reason=asked["reason"], by=self.person, from_step=step)
        return Response(shown(public_id))


class TicketAccept(TicketAct):
    """Accepts what a policy holds; the run goes on. What needs an approval is decided there."""

    @extend_schema(
        operation_id="acceptTicket",
        tags=["tickets"],
        summary="Accept what a policy holds",
        request=shapes.ReasonInput,
        responses=ANSWER,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.ReasonInput)
        approvals.accept(self.ticket(public_id), by=self.person, reason=asked["reason"])
        return Response(shown(public_id))


class TicketCompensate(TicketAct):
    """Has what its run wrote taken back, last first; or goes on where an undo was refused. The ticket ends with it."""

    @extend_schema(
        operation_id="compensateTicket",
        tags=["tickets"],
        summary="Take back what was written",
        request=shapes.ReasonInput,
        responses=ANSWER,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.ReasonInput)
        repairs.take_back(self.ticket(public_id), reason=asked["reason"], by=self.person)
        return Response(shown(public_id))


class TicketKeep(TicketAct):
    """Accepts half a record as it stands: the run is closed, what was written stays."""

    @extend_schema(
        operation_id="keepTicket",
        tags=["tickets"],
        summary="Accept half a record as it is",
        request=shapes.ReasonInput,
        responses=ANSWER,
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.ReasonInput)
        repairs.keep(self.ticket(public_id), reason=asked["reason"], by=self.person)
        return Response(shown(public_id))


class TicketResolve(TicketAct):
    """Ends it by hand; a run that waits for it is closed without outcome."""

    @extend_schema(
        operation_id="resolveTicket",
        tags=["tickets"],
        summary="Resolve by hand",
        request=shapes.ResolveInput,
        responses=ANSWER,
    )
    @idempotent(atomic=False)  # a ticket that takes a proof asks another system first
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.ResolveInput)
        tickets.resolve(self.ticket(public_id), resolution=asked["resolution"], note=asked["note"], by=self.person)
        return Response(shown(public_id))


class TicketReopen(TicketAct):
    """Live again, with a fresh clock."""

    @extend_schema(
        operation_id="reopenTicket", tags=["tickets"], summary="Reopen", request=shapes.ReasonInput, responses=ANSWER
    )
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        asked = self.read(shapes.ReasonInput)
        tickets.reopen(self.ticket(public_id), reason=asked["reason"], by=self.person)
        return Response(shown(public_id))


def assignee(asked: dict[str, Any]) -> User | Team | None:
    """The person or team named, or None for the ticket's own queue. Raises Invalid for a name that nobody has."""
    if asked.get("person"):
        found: User | Team | None = User.objects.filter(username=asked["person"], is_active=True).first()
        return found or _nobody("person", asked["person"])
    if asked.get("team"):
        return Team.objects.filter(name=asked["team"]).first() or _nobody("team", asked["team"])
    return None


def _nobody(kind: str, name: str) -> Any:
    message = f"There is no {kind} named {name!r}."
    raise Invalid(message, code="unknown_assignee", context={"errors": [{"field": kind, "message": message}]})
