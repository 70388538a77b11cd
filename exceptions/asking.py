"""Approvals asked with a ticket. Only asks and voids: `approvals` decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils import timezone

from exceptions import clocks, timeline
from exceptions.drafts import storable
from exceptions.enums import ApprovalStatus, EntryKind
from exceptions.machines import APPROVAL
from exceptions.models import Approval, Ticket
from meshline.kernel import actors, transitions
from meshline.kernel.actors import Actor
from ownership import owners
from ownership.models import Team
from syncflows.hooks import ApprovalAsked, Failure

ENGINE = actors.system("engine")
Asked = tuple[Ticket, Failure, ApprovalAsked]


def ask(settled: Sequence[tuple[Ticket, list[Failure]]]) -> list[Approval]:
    """Open the approvals that these failures ask, and void those of the same runs that are not asked any more, or of something else.

    Idempotent: on run, policy, rule and fingerprint, while pending. Locks: the pending approvals of these runs.
    """
    asked = [
        (ticket, failure, failure.approval)
        for ticket, failures in settled
        for failure in failures
        if failure.approval and ticket.run_id
    ]
    wanted = {
        _key(ticket.run_id, item.policy, item.rule, item.fingerprint): (ticket, failure, item)
        for ticket, failure, item in asked
    }
    run_ids = {ticket.run_id for ticket, _ in settled if ticket.run_id}
    pending = _pending(run_ids)
    kept = {_key(item.run_id, item.policy, item.rule, item.fingerprint) for item in pending} & set(wanted)
    void(
        [item for item in pending if _key(item.run_id, item.policy, item.rule, item.fingerprint) not in kept],
        why="The record was judged anew.",
        by=ENGINE,
    )
    return _open([item for key, item in wanted.items() if key not in kept])


def void(pending: Iterable[Approval], *, why: str, by: Actor) -> None:
    """What was shown is not what stands there now: nobody can decide on it any more."""
    for approval in pending:
        transitions.move(
            Approval,
            approval.pk,
            machine=APPROVAL,
            expected=ApprovalStatus.PENDING,
            to=ApprovalStatus.VOID,
            by=by,
            reason=why,
        )
        timeline.add(
            approval.ticket,
            EntryKind.DECISION,
            f"{approval.public_id} is void. {why}",
            by=by,
            approval=approval.public_id,
        )


def void_of_runs(run_ids: Iterable[int], *, why: str, by: Actor) -> None:
    """Void all pending approvals of these runs. Locks: them."""
    void(_pending(set(run_ids)), why=why, by=by)


def _pending(run_ids: set[int]) -> list[Approval]:
    if not run_ids:
        return []
    rows = Approval.objects.select_for_update(of=("self",)).select_related("ticket")
    return list(rows.filter(run_id__in=run_ids, status=ApprovalStatus.PENDING).order_by("pk"))


def _open(asked: Sequence[Asked]) -> list[Approval]:
    if not asked:
        return []
    names = {item.approver_team for _, _, item in asked}
    teams = {team.name: team for team in Team.objects.filter(name__in=names)}
    triage = owners.triage().team if names - set(teams) else None
    rows = Approval.objects.bulk_create(
        [_approval(*item, team=teams.get(item[2].approver_team) or triage) for item in asked]
    )
    Approval.history.bulk_history_create(rows, default_change_reason="asked")
    return rows


def _approval(ticket: Ticket, failure: Failure, asked: ApprovalAsked, *, team: Team | None) -> Approval:
    assert ticket.run_id is not None, "an approval is asked of a run"
    now = timezone.now()
    due = asked.due_at or clocks.due_at(now, severity=ticket.severity)
    return Approval(
        ticket=ticket, run_id=ticket.run_id, policy=asked.policy, policy_version=asked.policy_version, rule=asked.rule, message=storable(failure.message),
        bound=storable(asked.bound), fingerprint=asked.fingerprint, snapshot=storable(failure.context.get("canonical") or {}), amount=ticket.amount, currency=ticket.currency,
        customer=ticket.customer, requester=storable(asked.requester)[:200], team=team, asked_at=now, due_at=due,
    )  # fmt: skip


def _key(run_id: int | None, policy: str, rule: str, fingerprint: str) -> tuple[int | None, str, str, str]:
    return run_id, policy, rule, fingerprint
