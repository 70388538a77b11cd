"""What people do with tickets: assign, acknowledge, comment, let wait, resolve, reopen. Opening is `opening`, correcting is `fixing`.

Every act checks the person, locks the ticket (its run first), writes an entry and an audit row in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from exceptions import asking, clocks, permissions, proofs, timeline
from exceptions.enums import LIVE, EntryKind, Resolution, TicketStatus
from exceptions.machines import TICKET
from exceptions.models import Ticket, TicketEntry
from exceptions.opening import open_all
from exceptions.proofs import Proof
from meshline.audit import ledger
from meshline.kernel import actors, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict
from ownership.models import Team, User
from syncflows.engine import runs
from syncflows.engine.enums import PARKED, RunStatus

CANCELLABLE = (*PARKED, RunStatus.RETRYING)


def assign(ticket: Ticket, *, to: User | Team | None, by: User) -> Ticket:
    """Give it to a person, to a team's queue, or back to its own queue (None). Raises NotAllowed, Conflict. Idempotent: on the assignee."""
    actor = actors.of(by)
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        person = to if isinstance(to, User) else None
        permissions.check_user_can_assign(by, ticket, person)
        queue = to if isinstance(to, Team) else ticket.queue
        if (ticket.owner, ticket.queue) == (person, queue):
            return ticket
        text = f"Assigned to {to}" if to else f"Given back to {queue}"
        because = f"{text} by {actor}."
        timeline.save(
            ticket,
            by=actor,
            reason=text,
            owner=person,
            queue=queue,
            owned_because=because[:300],
            **timeline.touch(ticket),
        )
        timeline.add(
            ticket, EntryKind.ASSIGNED, text, by=actor, to=to.public_id if isinstance(to, User) else queue.name
        )
        _audit(ticket, "ticket.assigned", by=actor, reason=text)
    return ticket


def acknowledge(ticket: Ticket, *, by: User) -> Ticket:
    """Take it in work; who takes an unowned one owns it. Raises NotAllowed, Conflict. Idempotent: while it is in work."""
    actor = actors.of(by)
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_work(by, ticket)
        if ticket.status == TicketStatus.ACKNOWLEDGED:
            return ticket
        taken: dict[str, Any] = {} if ticket.owner_id else {"owner": by, "owned_because": f"Taken by {actor}."[:300]}
        return _move(ticket, TicketStatus.ACKNOWLEDGED, "Taken in work", by=actor, **timeline.touch(ticket), **taken)


def wait(ticket: Ticket, *, reason: str, by: User) -> Ticket:
    """Let it wait for somebody outside; its clock runs on. Raises NotAllowed, Conflict, Invalid (no reason)."""
    actor, why = actors.of(by), timeline.needed(reason, what="The reason for waiting")
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_work(by, ticket)
        return _move(ticket, TicketStatus.WAITING, f"Waiting: {why}", by=actor, **timeline.touch(ticket))


def comment(ticket: Ticket, *, text: str, by: User) -> TicketEntry:
    """Add a line; on resolved tickets too. Raises NotAllowed, Invalid (empty)."""
    actor, words = actors.of(by), timeline.needed(text, what="The comment")
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_comment(by, ticket)
        touched = timeline.touch(ticket)
        if touched and ticket.status in LIVE:
            timeline.save(ticket, by=actor, reason="comment", **touched)
        line = timeline.add(ticket, EntryKind.COMMENT, words, by=actor)
        _audit(ticket, "ticket.commented", by=actor)
    return line


def resolve(ticket: Ticket, *, resolution: str, note: str, by: User) -> Ticket:
    """End it by hand. A run that waits for this ticket is closed without outcome with it, and what was asked about it is void.

    A ticket that takes a proof (see `proofs`) ends by it, or as accepted or written off.
    Raises NotAllowed, Conflict (what the proof found still wrong), Invalid (no note; a resolution that only an act can earn).
    """
    actor, why = actors.of(by), timeline.needed(note, what="The note")
    proof = proofs.needed_for(ticket)
    if proof and resolution not in proofs.WITHOUT_PROOF:
        return _proven(ticket, proof, resolution, why, by=by)
    with transaction.atomic():
        if proof:
            proof.waive(ticket, Resolution(resolution), why, actor)
        ticket = timeline.lock(ticket)
        permissions.check_user_can_resolve(by, ticket, resolution)
        kind = Resolution(resolution)
        if ticket.run_id and ticket.subject.startswith("run:"):
            _close_run(ticket, f"{kind.label}: {why}", by=actor)
        return timeline.end(ticket, resolution=kind, note=why, by=actor)


def _proven(ticket: Ticket, proof: Proof, resolution: str, why: str, *, by: User) -> Ticket:
    """Ended by whoever proves it, outside any transaction of ours: looking again may call another system."""
    permissions.check_user_can_resolve(by, ticket, resolution)
    proof.prove(ticket, why, actors.of(by))
    ticket.refresh_from_db()
    return ticket


def reopen(ticket: Ticket, *, reason: str, by: User) -> Ticket:
    """Live again, with a fresh clock. Raises NotAllowed, Conflict (not resolved; its subject has another live ticket), Invalid (no reason)."""
    actor, why = actors.of(by), timeline.needed(reason, what="The reason for reopening")
    now = timezone.now()
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_reopen(by, ticket)
        due = clocks.due_at(now, severity=ticket.severity)
        try:
            with transaction.atomic():
                return _move(
                    ticket,
                    TicketStatus.OPEN,
                    f"Reopened: {why}",
                    by=actor,
                    expected=(TicketStatus.RESOLVED,),
                    **_fresh(now, due),
                )
        except IntegrityError as error:
            other = (
                Ticket.objects.filter(subject=ticket.subject, status__in=LIVE)
                .values_list("public_id", flat=True)
                .first()
            )
            raise Conflict(
                f"{ticket.subject} has another live ticket, {other}. Work on that one.", code="other_ticket_live"
            ) from error


def close_subjects(subjects: Collection[str], *, resolution: Resolution, note: str, by: Actor) -> list[Ticket]:
    """End the live tickets of these subjects on proof found by Meshline itself (a re-check, a recovery). Returns those it ended.

    Idempotent: on the subject. Locks: the tickets.
    """
    with transaction.atomic():
        rows = (
            Ticket.objects.select_for_update(of=("self",))
            .filter(subject__in=subjects, status__in=LIVE)
            .order_by("subject")
        )
        return [timeline.end(ticket, resolution=resolution, note=note, by=by) for ticket in rows]


def _close_run(ticket: Ticket, reason: str, *, by: Actor) -> None:
    assert ticket.run is not None
    asking.void_of_runs([ticket.run.pk], why="The ticket was resolved.", by=by)
    if ticket.run.status in CANCELLABLE:
        runs.cancel(ticket.run.pk, by=by, reason=reason)


def _fresh(now: datetime, due: datetime) -> dict[str, Any]:
    return {
        "resolution": "", "resolved_at": None, "resolved_by": "", "resolution_note": "", "breached_at": None,
        "due_at": due, "sla_minutes": clocks.minutes_between(now, due),
    }  # fmt: skip


def _move(
    ticket: Ticket, to: TicketStatus, text: str, *, by: Actor, expected: Collection[str] = LIVE, **values: Any
) -> Ticket:
    moved: Ticket = transitions.move(
        Ticket, ticket.pk, machine=TICKET, expected=expected, to=to, by=by, reason=text, **values
    )
    timeline.add(moved, EntryKind.STATUS, text, by=by, status=to.value)
    return moved


def _audit(ticket: Ticket, act: str, *, by: Actor, reason: str = "") -> None:
    ledger.append(act=act, by=by, object_kind="ticket", object_id=ticket.public_id, reason=reason)


__all__ = ["acknowledge", "assign", "close_subjects", "comment", "open_all", "reopen", "resolve", "wait"]
