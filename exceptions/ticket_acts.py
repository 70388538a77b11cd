"""What a person can do to one ticket: the buttons in the order of what is most likely right for its class, and each act's form and service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.urls import reverse

from exceptions import approvals, bulk_jobs, fixing, permissions, repairs, tickets
from exceptions.enums import ApprovalStatus, TicketStatus
from exceptions.forms import AssignForm, ReasonForm, ReplayForm, ResolveForm, WaitForm
from exceptions.models import Approval, Ticket
from meshline.kernel.errors import Missing
from meshline.kernel.permissions import reason_against
from ownership.models import User
from syncflows.engine import repair
from syncflows.engine.enums import PARKED, RunStatus
from syncflows.engine.models import Step
from syncflows.enums import ExceptionClass, HoldReason

Values = dict[str, Any]


@dataclass(frozen=True)
class Act:
    """`verb` of its button; `effect` what will happen, one sentence; `done` what the toast says; `tone` of the button that does it."""

    name: str
    verb: str
    effect: str
    done: str
    do: Callable[[Ticket, Values, User], Any]
    check: Callable[[User, Ticket], None]
    form: Callable[[Any, Ticket, list[Step], User], forms.Form]
    key: str = ""
    tone: str = "primary"


@dataclass(frozen=True)
class Button:
    """`against` why it may not be pressed; empty where it may. `posts`: one click does it, without a form. `rare`: behind "More"."""

    label: str
    url: str
    key: str = ""
    against: str = ""
    posts: bool = False
    primary: bool = False
    rare: bool = False


def _no_form(data: Any, ticket: Ticket, steps: list[Step], me: User) -> forms.Form:
    return forms.Form(data)


def _reason(data: Any, ticket: Ticket, steps: list[Step], me: User) -> forms.Form:
    return ReasonForm(data)


ACTS = {
    act.name: act
    for act in (
        Act("accept", "Accept", "The record goes on with exactly what this ticket shows, cleared in your name.", "Accepted. The record goes on.",
            lambda ticket, given, by: approvals.accept(ticket, by=by, reason=given["reason"]), permissions.check_user_can_accept, _reason, key="c", tone="success"),
        Act("replay", "Replay", "The record runs again as it is. Steps that are done stay done. If it fails again, a new ticket opens.", "Replayed. A new failure would open a new ticket.",
            lambda ticket, given, by: fixing.replay(ticket, by=by, reason=given["reason"], from_step=given.get("from_step") or None), permissions.check_user_can_fix,
            lambda data, ticket, steps, me: ReplayForm(data, steps=steps), key="r"),
        Act("compensate", "Take back what was written", "What the run wrote is taken back, last first, and the record is withdrawn. Newer events of it wait until that has ended.",
            "What was written is being taken back. This ticket ends with it, or says what could not be.",
            lambda ticket, given, by: repairs.take_back(ticket, reason=given["reason"], by=by), permissions.check_user_can_take_back, _reason, tone="danger"),
        Act("keep", "Accept as it is", "The run is closed. What was written stays, what is missing stays missing.", "Accepted as it is.",
            lambda ticket, given, by: repairs.keep(ticket, reason=given["reason"], by=by), permissions.check_user_can_keep, _reason),
        Act("assign", "Assign", "It changes hands; its clock runs on.", "Assigned.",
            lambda ticket, given, by: tickets.assign(ticket, to=bulk_jobs.assignee(given["to"]), by=by), permissions.check_user_can_assign,
            lambda data, ticket, steps, me: AssignForm(data, me=me, queue=ticket.queue, initial={"to": f"user:{me.public_id}"}), key="a"),
        Act("wait", "Let it wait", "It moves to Waiting. Its clock runs on.", "It waits now. Its clock runs on.",
            lambda ticket, given, by: tickets.wait(ticket, reason=given["reason"], by=by), permissions.check_user_can_work,
            lambda data, ticket, steps, me: WaitForm(data), key="s"),
        Act("resolve", "Resolve", "The ticket ends. A record that waits for it is closed without outcome.", "Resolved.",
            lambda ticket, given, by: tickets.resolve(ticket, resolution=given["resolution"], note=given["reason"], by=by), permissions.check_user_can_resolve,
            lambda data, ticket, steps, me: ResolveForm(data, ticket=ticket)),
        Act("take", "Take it", "It is in work, and yours if nobody has it.", "In work.",
            lambda ticket, given, by: tickets.acknowledge(ticket, by=by), permissions.check_user_can_work, _no_form, key="t"),
        Act("reopen", "Reopen", "It is live again, with a fresh clock.", "Open again, with a fresh clock.",
            lambda ticket, given, by: tickets.reopen(ticket, reason=given["reason"], by=by), permissions.check_user_can_reopen, _reason),
    )
}  # fmt: skip

FIX, DECIDE = "fix", "decide"
HALF_DONE = ("compensate", "keep")
UNDO_REFUSED = "undo_refused"
BY_CLASS = {
    ExceptionClass.POLICY: (DECIDE, "accept", FIX, "resolve", "assign", "wait", "replay"),
    ExceptionClass.DATA_QUALITY: (FIX, "replay", "assign", "wait", "resolve"),
    ExceptionClass.IDENTITY: ("replay", FIX, "assign", "wait", "resolve"),
    ExceptionClass.DUPLICATE: ("resolve", FIX, "assign", "wait", "replay"),
    ExceptionClass.DRIFT: ("resolve", "assign", "wait", "replay"),
    ExceptionClass.PARTIAL: ("replay", *HALF_DONE, FIX, "assign", "wait", "resolve"),
    ExceptionClass.ACCOUNTING: ("replay", *HALF_DONE, FIX, "assign", "wait", "resolve"),
    ExceptionClass.SILENCE: ("assign", "wait", "resolve"),
}
OTHERWISE = ("replay", FIX, "assign", "wait", "resolve")
# Behind "More": what is seldom right for any class, and what is seldom right for this one.
RARE = {"wait"}
RARE_FOR = {
    ExceptionClass.POLICY: {"replay", "resolve"},
    ExceptionClass.DATA_QUALITY: {"replay"},
    ExceptionClass.DUPLICATE: {"replay", FIX},
    ExceptionClass.DRIFT: {"replay"},
}


def get(name: str) -> Act:
    """Raises Missing."""
    if name not in ACTS:
        raise Missing(f"A ticket has no page {name!r}. There are: {', '.join(ACTS)}, fix.")
    return ACTS[name]


def buttons(ticket: Ticket, asked: list[Approval], *, user: User) -> list[Button]:
    """In order; the first that may be pressed is the primary one."""
    if ticket.status == TicketStatus.RESOLVED:
        return [_button("reopen", ticket, user)]
    klass = ExceptionClass(ticket.exception_class)
    rare = RARE | RARE_FOR.get(klass, set())
    names = [*_likely(ticket, klass), *_take(ticket, user)]
    named = [(name, _named(name, ticket, asked, user)) for name in names]
    shown = [replace(button, rare=name in rare) for name, button in named if button is not None]
    first = next((place for place, button in enumerate(shown) if not button.against), -1)
    return [
        replace(button, primary=place == first, rare=button.rare and place != first)
        for place, button in enumerate(shown)
    ]


def _likely(ticket: Ticket, klass: ExceptionClass) -> tuple[str, ...]:
    """Once an undo was refused, going on with it is likelier than writing the rest after all."""
    names = BY_CLASS.get(klass, OTHERWISE)
    if ticket.reason == UNDO_REFUSED:
        return (*HALF_DONE, *(name for name in names if name not in HALF_DONE))
    return names


def _take(ticket: Ticket, user: User) -> list[str]:
    """Not of what is in work, nor of what is one's own."""
    return [] if ticket.status == TicketStatus.ACKNOWLEDGED or ticket.owner_id == user.pk else ["take"]


def _named(name: str, ticket: Ticket, asked: list[Approval], user: User) -> Button | None:
    if name == DECIDE:
        return _decide(asked)
    if name == FIX:
        return _fix(ticket, user)
    if name == "accept" and not _waits_for_acceptance(ticket):
        return None
    if name in HALF_DONE and not _is_half_done(ticket):
        return None
    if name == "replay" and not ticket.subject.startswith(("run:", "event:")):
        return None
    return _button(name, ticket, user)


def _button(name: str, ticket: Ticket, user: User) -> Button:
    act = ACTS[name]
    address = reverse("ticket-act", args=[ticket.public_id, name])
    return Button(act.verb, address, act.key, reason_against(act.check, user, ticket), posts=name == "take")


def _decide(asked: list[Approval]) -> Button | None:
    pending = next((item for item in asked if item.status == ApprovalStatus.PENDING), None)
    return Button("Open its approval", reverse("approval", args=[pending.public_id]), "o") if pending else None


def _fix(ticket: Ticket, user: User) -> Button | None:
    if not ticket.subject.startswith(("run:", "event:")):
        return None
    return Button(
        "Fix and replay",
        reverse("ticket-fix", args=[ticket.public_id]),
        "e",
        reason_against(permissions.check_user_can_fix, user, ticket),
    )


def _is_half_done(ticket: Ticket) -> bool:
    run = ticket.run
    return run is not None and run.status in PARKED and repair.is_half_done(run, list(run.steps.all()))


def _waits_for_acceptance(ticket: Ticket) -> bool:
    run = ticket.run
    return run is not None and run.status == RunStatus.HELD and run.hold_reason == HoldReason.ACCEPTANCE
