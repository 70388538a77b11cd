"""Forms of the queue's pages. They read what was typed; services decide."""

from __future__ import annotations

from typing import Any

from django import forms

from exceptions import permissions
from exceptions.enums import BulkAction, Resolution
from exceptions.models import Ticket
from exceptions.permissions import BY_HAND
from exceptions.timeline import NOTE_LENGTH
from ownership.models import Team, User
from ownership.permissions import Ability, abilities_of
from syncflows.engine import undos
from syncflows.engine.enums import SETTLED
from syncflows.engine.models import Step

PEOPLE_LISTED = 200
FROM_START = ""
Choices = list[tuple[str, Any]]


def sentence(
    label: str, missing: str, help_text: str = "Kept as evidence.", *, rows: int = 2, autofocus: bool = False
) -> forms.CharField:
    attrs: dict[str, Any] = {"rows": rows, **({"autofocus": True} if autofocus else {})}
    return forms.CharField(
        label=label,
        max_length=NOTE_LENGTH,
        help_text=help_text,
        widget=forms.Textarea(attrs=attrs),
        error_messages={"required": missing},
    )


class ReasonForm(forms.Form):
    reason = sentence("Reason", "Say why: it is kept as evidence.", autofocus=True)


class WaitForm(forms.Form):
    reason = sentence(
        "Waiting for whom or what",
        "Say whom or what it waits for.",
        "The clock runs on while it waits.",
        autofocus=True,
    )


class CommentForm(forms.Form):
    text = sentence("Comment", "Write something first.", "", rows=3)


class AssignForm(forms.Form):
    """`to`: user:<public id>, team:<name>, or nothing for the pool of its queue."""

    to = forms.ChoiceField(
        label="Assign to", required=False, choices=[], widget=forms.Select(attrs={"autofocus": True})
    )

    def __init__(self, data: Any = None, *, me: User, queue: Team | None = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["to"].choices = assignees(me, queue)  # type: ignore[attr-defined]


class ResolveForm(forms.Form):
    resolution = forms.ChoiceField(label="How it ended", choices=[], widget=forms.Select(attrs={"autofocus": True}))
    reason = sentence("Note", "Say how it was settled: it is kept as evidence.")

    def __init__(self, data: Any = None, *, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        choices = [(item.value, item.label) for item in permissions.resolutions_by_hand(ticket)]
        self.fields["resolution"].choices = choices  # type: ignore[attr-defined]


class ReplayForm(forms.Form):
    reason = sentence("Reason", "Say why it will work now: it is kept as evidence.", autofocus=True)
    from_step = forms.ChoiceField(label="Start from", required=False, choices=[])

    def __init__(self, data: Any = None, *, steps: list[Step], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        choices = starts(steps)
        if len(choices) > 1:
            self.fields["from_step"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["from_step"]


class BulkForm(forms.Form):
    """What an act takes besides the records."""

    to = forms.ChoiceField(label="Assign to", required=False, choices=[])
    resolution = forms.ChoiceField(
        label="How they ended",
        choices=[(item.value, item.label) for item in BY_HAND],
        initial=Resolution.WRITTEN_OFF.value,
    )
    reason = sentence(
        "Reason", "Say why: it is kept with each record.", "Kept as evidence with each record.", autofocus=True
    )

    def __init__(self, data: Any = None, *, action: str, me: User, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if action == BulkAction.ASSIGN:
            self.fields["to"].choices = assignees(me, None)  # type: ignore[attr-defined]
        else:
            del self.fields["to"]
        if action != BulkAction.RESOLVE:
            del self.fields["resolution"]
        if action in (BulkAction.ASSIGN, BulkAction.ACKNOWLEDGE):
            del self.fields["reason"]


class DecisionForm(forms.Form):
    """`decision` is the button that was pressed."""

    reason = forms.CharField(
        label="Reason", max_length=NOTE_LENGTH, error_messages={"required": "Write a reason first: it is kept as evidence."},
        widget=forms.TextInput(attrs={"placeholder": "Reason (kept as evidence)", "autocomplete": "off"}),
    )  # fmt: skip


def assignees(me: User, queue: Team | None) -> Choices:
    """Oneself first, then people of the queue, other people who may work on tickets, queues, and the queue's pool."""
    people = list(User.objects.filter(is_active=True).order_by("first_name", "username")[:PEOPLE_LISTED])
    able = [person for person in people if Ability.WORK_TICKETS in abilities_of(person) and person.pk != me.pk]
    members = set(queue.members.values_list("pk", flat=True)) if queue else set()
    of_queue = [_person(person) for person in able if person.pk in members]
    others = [_person(person) for person in able if person.pk not in members]
    mine = [(f"user:{me.public_id}", f"{me} (you)")] if Ability.WORK_TICKETS in abilities_of(me) else []
    teams = [(f"team:{team.name}", f"{team} (queue)") for team in Team.objects.order_by("title")]
    groups = [(str(queue), of_queue), ("People", others), ("Queues", teams)]
    return [*mine, *((name, rows) for name, rows in groups if rows), ("", "Nobody: back to its queue")]


def starts(steps: list[Step]) -> Choices:
    """From the start, or from the first step that is not done, where others before it are."""
    found: Choices = [(FROM_START, "the start (steps that are done stay done)")]
    steps = undos.forward(steps)
    undone = [step for step in steps if step.status not in SETTLED]
    if undone and undone[0] is not steps[0]:
        found.append((undone[0].name, f"the step that is missing: {undone[0].name}"))
    return found


def _person(person: User) -> tuple[str, str]:
    return f"user:{person.public_id}", str(person)
