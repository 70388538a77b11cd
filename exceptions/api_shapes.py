"""How tickets and approvals look in the API, and what their operations take. Public ids only; money with its currency; times in UTC."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from exceptions.enums import ApprovalStatus, Decision, EntryKind, Resolution, TicketStatus
from exceptions.models import Ticket
from meshline.kernel.api.fields import Amount, Json, JsonObject, Time
from syncflows.engine.api_shapes import FactOutput, StepOutput
from syncflows.enums import ExceptionClass, Severity
from syncflows.governance.api_shapes import PersonOutput, TeamOutput


class ReadSerializer(serializers.Serializer):
    """An answer: every field is always there."""


class TicketOutput(ReadSerializer):
    """A failure that is somebody's."""

    id = serializers.CharField(source="public_id")
    subject = serializers.CharField(help_text="run:…, event:…, discrepancy:… or system:… that failed")
    status = serializers.ChoiceField(choices=TicketStatus.choices)
    reason = serializers.CharField(help_text="stable code within the class")
    severity = serializers.ChoiceField(choices=Severity.choices)
    message = serializers.CharField(help_text="what happened")
    remedy = serializers.CharField(help_text="what to do")
    flow = serializers.CharField()
    step = serializers.CharField()
    system = serializers.CharField()
    queue = TeamOutput()
    owner = PersonOutput(allow_null=True)
    owned_because = serializers.CharField(help_text="which route or role named queue and owner")
    at_risk = Amount()
    customer = serializers.CharField()
    canonical_key = serializers.CharField()
    correlation_id = serializers.CharField()
    run = serializers.CharField(source="run.public_id", allow_null=True)
    event = serializers.CharField(source="event.public_id", allow_null=True)
    opened_at = Time()
    due_at = Time(help_text="end of the resolution clock")
    first_touch_at = Time(allow_null=True)
    breached_at = Time(allow_null=True)
    times_seen = serializers.IntegerField()
    last_seen_at = Time()
    resolution = serializers.ChoiceField(choices=Resolution.choices, allow_blank=True)
    resolved_at = Time(allow_null=True)
    resolved_by = serializers.CharField()
    resolution_note = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        """`class` is a keyword of Python, so it cannot be declared above."""
        return {
            **super().get_fields(),
            "class": serializers.ChoiceField(choices=ExceptionClass.choices, source="exception_class"),
        }


class EntryOutput(ReadSerializer):
    """One line of a ticket's timeline."""

    at = Time()
    kind = serializers.ChoiceField(choices=EntryKind.choices)
    actor = serializers.CharField()
    text = serializers.CharField()
    detail = Json()


class ApprovalOutput(ReadSerializer):
    """A decision asked of a person, bound to what they are shown."""

    id = serializers.CharField(source="public_id")
    ticket = serializers.CharField(source="ticket.public_id")
    run = serializers.CharField(source="run.public_id")
    status = serializers.ChoiceField(choices=ApprovalStatus.choices)
    policy = serializers.CharField()
    policy_version = serializers.IntegerField()
    rule = serializers.CharField()
    message = serializers.CharField(help_text="what is asked")
    bound = Json(help_text="the fields decided on")
    fingerprint = serializers.CharField(help_text="of the bound fields and the policy version")
    value = Amount()
    customer = serializers.CharField()
    requester = serializers.CharField(help_text="who asked, as the source names them; may not decide")
    team = TeamOutput(help_text="who decides")
    asked_at = Time()
    due_at = Time()
    decided_at = Time(allow_null=True)
    decided_by = PersonOutput(allow_null=True)
    decision_reason = serializers.CharField()


class ApprovalDetailOutput(ApprovalOutput):
    """With the record as it was shown."""

    snapshot = Json()


class LinksOutput(ReadSerializer):
    """Addresses of what belongs to a ticket; null where there is none."""

    self = serializers.CharField()
    run = serializers.CharField(allow_null=True)
    event = serializers.CharField(allow_null=True)
    approvals = serializers.ListField(child=serializers.CharField())


class TicketPartsOutput(ReadSerializer):
    """What is shown of a ticket beyond its row."""

    context = Json(help_text="snapshot taken when it failed")  # type: ignore[assignment]  # named as a property of serializers
    payload = Json(
        allow_null=True, help_text="what `fix` corrects; null where there is no record or it could not be read"
    )
    timeline = EntryOutput(many=True)
    approvals = ApprovalOutput(many=True)
    steps = StepOutput(many=True)
    lineage = FactOutput(many=True)
    resolutions_by_hand = serializers.ListField(
        child=serializers.ChoiceField(choices=Resolution.choices), help_text="what `resolve` takes"
    )
    links = LinksOutput()


class TicketDetailOutput(TicketPartsOutput, TicketOutput):
    """A ticket with all that is needed to understand it, and what can be done by hand."""


class CommentInput(serializers.Serializer):
    text = serializers.CharField(max_length=5000)


class ReasonInput(serializers.Serializer):
    reason = serializers.CharField(max_length=5000, help_text="one sentence; it becomes part of the record")


class NothingInput(serializers.Serializer):
    """Takes nothing."""


class AssignInput(serializers.Serializer):
    """Give one of both. With neither the ticket goes back to its queue."""

    person = serializers.CharField(required=False, allow_null=True, max_length=150, help_text="username")
    team = serializers.CharField(required=False, allow_null=True, max_length=60, help_text="name")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("person") and attrs.get("team"):
            raise serializers.ValidationError("Give a person or a team, not both.")
        return attrs


class ReplayInput(ReasonInput):
    from_step = serializers.CharField(
        required=False, allow_blank=True, max_length=80, help_text="step to start from; default: the start"
    )


class FixInput(ReplayInput):
    """With `dry_run` (or `?preview=1`) nothing is written, and a reason is not needed."""

    payload = JsonObject(help_text="the whole corrected payload, an object")
    reason = serializers.CharField(
        max_length=5000, required=False, allow_blank=True, help_text="one sentence; needed unless it is a dry run"
    )
    dry_run = serializers.BooleanField(default=False)


class ResolveInput(serializers.Serializer):
    resolution = serializers.ChoiceField(
        choices=Resolution.choices, help_text="one of `resolutions_by_hand` of the ticket"
    )
    note = serializers.CharField(max_length=5000)


class ChangeOutput(ReadSerializer):
    path = serializers.CharField()
    before = Json(allow_null=True)
    after = Json(allow_null=True)
    kind = serializers.CharField(help_text="added, removed or changed")


class FixPreviewOutput(ReadSerializer):
    """What a fix would change. Nothing was written."""

    dry_run = serializers.BooleanField()
    changes = ChangeOutput(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class DecideInput(serializers.Serializer):
    decision = serializers.ChoiceField(choices=Decision.choices)
    reason = serializers.CharField(max_length=5000)


def links_of(ticket: Ticket, approvals: list[Any]) -> dict[str, Any]:
    """Paths below the server's address."""
    return {
        "self": f"/api/v1/tickets/{ticket.public_id}/",
        "run": f"/api/v1/runs/{ticket.run.public_id}/" if ticket.run else None,
        "event": f"/api/v1/events/{ticket.event.public_id}/" if ticket.event else None,
        "approvals": [f"/api/v1/approvals/{item.public_id}/" for item in approvals],
    }
