"""Decide what policies ask of people: approve or refuse, by four eyes, once, with a reason; accept what a policy only holds.

The decision becomes a clearance on the run, bound to the fingerprint of what was shown; the engine honours it as long as that fits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from exceptions import asking, permissions, timeline
from exceptions.enums import LIVE, ApprovalStatus, EntryKind, Resolution
from exceptions.machines import APPROVAL
from exceptions.models import Approval, Ticket
from exceptions.permissions import Decider
from meshline.kernel import actors, transitions
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Missing
from ownership.models import User
from syncflows.engine import lineage, runs
from syncflows.engine.enums import PARKED, FactKind
from syncflows.engine.models import Run

Clearance = dict[str, Any]


def grant(approval: Approval, *, by: User, reason: str, decider: Decider | None = None) -> Approval:
    """Approve. The run goes on with this clearance, unless another approval of it is still open; then it is kept for when it does.

    `decider` what is known of `by`, read once for a batch. Raises NotAllowed (four eyes, not in the team), Conflict (decided, void, run moved on),
    Invalid (no reason). Locks: run, ticket, approval.
    """
    actor, why = actors.of(by), timeline.needed(reason, what="The reason")
    with transaction.atomic():
        approval = _decidable(approval, by=by, decider=decider)
        approval = _decide(approval, ApprovalStatus.APPROVED, why, by=by, actor=actor)
        assert approval.decided_at
        cleared = clearance(
            approval.policy,
            approval.rule,
            approval.policy_version,
            approval.fingerprint,
            by=actor,
            at=approval.decided_at,
            via=approval.public_id,
        )
        others = Approval.objects.filter(run_id=approval.run_id, status=ApprovalStatus.PENDING).count()
        if others:
            _keep(approval, cleared, others, why, by=actor)
        else:
            _end_ticket(approval.ticket, Resolution.APPROVED, why, by=actor)
            runs.release(approval.run_id, by=actor, reason=why, clearance=cleared)
    return approval


def refuse(approval: Approval, *, by: User, reason: str, decider: Decider | None = None) -> Approval:
    """Refuse. The run and its ticket are closed with the reason; other approvals asked of it are void. Raises and locks as `grant`."""
    actor, why = actors.of(by), timeline.needed(reason, what="The reason")
    with transaction.atomic():
        approval = _decidable(approval, by=by, decider=decider)
        approval = _decide(approval, ApprovalStatus.REFUSED, why, by=by, actor=actor)
        asking.void_of_runs([approval.run_id], why=f"{approval.public_id} was refused.", by=actor)
        _end_ticket(approval.ticket, Resolution.REFUSED, why, by=actor)
        runs.cancel(approval.run_id, by=actor, reason=f"Refused: {why}")
    return approval


def accept(ticket: Ticket, *, by: User, reason: str) -> Ticket:
    """Accept what a policy holds; the run goes on with a clearance for exactly what the ticket shows.

    Raises NotAllowed, Conflict (needs an approval; does not wait for acceptance), Invalid (no reason). Locks: run, ticket.
    """
    actor, why = actors.of(by), timeline.needed(reason, what="The reason")
    with transaction.atomic():
        ticket = timeline.lock(ticket)
        permissions.check_user_can_accept(by, ticket)
        assert ticket.run is not None
        verdict = ticket.context["verdict"]
        cleared = clearance(
            verdict["policy"],
            verdict["rule"],
            verdict["version"],
            verdict["fingerprint"],
            by=actor,
            at=timezone.now(),
            via=ticket.public_id,
        )
        timeline.add(ticket, EntryKind.DECISION, f"Accepted: {why}", by=actor, clearance=cleared)
        ended = timeline.end(ticket, resolution=Resolution.ACCEPTED, note=why, by=actor)
        runs.release(ticket.run.pk, by=actor, reason=why, clearance=cleared)
    return ended


def clearance(
    policy: str, rule: str, version: int, fingerprint: str, *, by: Actor, at: datetime, via: str
) -> Clearance:
    """What the engine honours: a person's word for one fingerprint under one rule. `via` the approval or ticket that tells the rest."""
    return {
        "policy": policy,
        "rule": rule,
        "version": version,
        "fingerprint": fingerprint,
        "by": str(by),
        "at": at.isoformat(),
        "via": via,
    }


def _decidable(approval: Approval, *, by: User, decider: Decider | None) -> Approval:
    """The approval as it is now, with run and ticket locked before it, and `by` checked."""
    known = Approval.objects.filter(pk=approval.pk).values_list("run_id", "ticket_id").first()
    if known is None:
        raise Missing(f"There is no approval {approval.public_id}.")
    run = Run.objects.select_for_update(of=("self",)).get(pk=known[0])
    ticket = Ticket.objects.select_for_update(of=("self",)).get(pk=known[1])
    found = Approval.objects.select_for_update(of=("self",)).select_related("team").get(pk=approval.pk)
    found.run, found.ticket = run, ticket
    permissions.check_user_can_decide(by, found, decider=decider)
    if run.status not in PARKED:
        raise Conflict(
            f"{run.public_id} does not wait any more (it is {run.get_status_display().lower()}). Reload and look again.",
            code="run_moved_on",
        )
    return found


def _decide(approval: Approval, to: ApprovalStatus, why: str, *, by: User, actor: Actor) -> Approval:
    ticket = approval.ticket
    moved: Approval = transitions.move(
        Approval, approval.pk, machine=APPROVAL, expected=ApprovalStatus.PENDING, to=to, by=actor, reason=why,
        decided_at=timezone.now(), decided_by=by, decision_reason=why,
    )  # fmt: skip
    timeline.add(ticket, EntryKind.DECISION, f"{to.label}: {why}", by=actor, approval=moved.public_id, rule=moved.rule)
    moved.ticket = ticket
    return moved


def _end_ticket(ticket: Ticket, resolution: Resolution, why: str, *, by: Actor) -> None:
    if ticket.status in LIVE:
        timeline.end(ticket, resolution=resolution, note=why, by=by)


def _keep(approval: Approval, cleared: Clearance, others: int, why: str, *, by: Actor) -> None:
    """The run's row is locked: nobody reads clearances until this is committed."""
    run = Run.objects.get(pk=approval.run_id)
    Run.objects.filter(pk=run.pk).update(clearances=[*run.clearances, cleared], human_actions=run.human_actions + 1)
    text = f"Approved by {by}: {why}. Waits for {others} more approval(s)."
    lineage.write([lineage.of_run(run, FactKind.DECISION, text, by=by, clearance=cleared)])
