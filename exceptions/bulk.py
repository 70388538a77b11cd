"""One act on many tickets or approvals: first what it would do, then record by record, each in its own transaction.

One that is refused never stops the others; each result says why. Must not decide anything itself: it calls the single services.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet

from exceptions import approvals, fixing, permissions, tickets, timeline
from exceptions.enums import ON_APPROVALS, BulkAction
from exceptions.models import Approval, Ticket
from exceptions.permissions import Decider
from meshline.kernel import jobs
from meshline.kernel.errors import Invalid, MeshlineError
from ownership.models import Team, User

log = logging.getLogger(__name__)
CHUNK = 200
Record = Ticket | Approval
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Options:
    """What some acts take besides a reason: `to` for assign (None: back to the queue), `resolution` for resolve."""

    to: User | Team | None = None
    resolution: str = ""


@dataclass
class Preview:
    """What an act would do: `amounts` per currency of the records it would be done to; `refusals` sentence to count."""

    action: BulkAction
    total: int = 0
    allowed: int = 0
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.total - self.allowed


@dataclass(frozen=True)
class Result:
    """`ident` the record's public id; `problem` why it was not done (empty: done)."""

    ident: str
    problem: str = ""
    code: str = ""

    @property
    def done(self) -> bool:
        return not self.problem


def preview(queryset: QuerySet[Any], action: BulkAction, *, by: User, options: Options | None = None) -> Preview:
    """Count what `by` may do to these records now, and why not to the others. A few queries per 200 records; writes nothing."""
    _check(queryset, action)
    found = Preview(action)
    for chunk in _chunks(queryset):
        decider = _decider(by, chunk)
        for record in chunk:
            found.total += 1
            try:
                _may(record, action, by, options or Options(), decider)
            except MeshlineError as error:
                found.refusals[error.message.replace(record.public_id, "It")] += 1
            else:
                found.allowed += 1
                if record.amount is not None:
                    found.amounts[record.currency] += record.amount
    return found


def perform(
    queryset: QuerySet[Any],
    action: BulkAction,
    *,
    by: User,
    reason: str,
    options: Options | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Do it to each record, oldest first; `progress` is told (done, of). Workers are rung once, at the end.

    Raises Invalid where the act does not fit the records, or the reason is missing. Locks: one record at a time.
    """
    _check(queryset, action)
    if action not in (BulkAction.ASSIGN, BulkAction.ACKNOWLEDGE):
        reason = timeline.needed(reason, what="The reason")
    total, results = queryset.order_by().count(), []
    with jobs.one_ring():
        for chunk in _chunks(queryset):
            decider = _decider(by, chunk)
            for record in chunk:
                results.append(_one(record, action, by, reason, options or Options(), decider))
                if progress:
                    progress(len(results), total)
    return results


def _one(
    record: Record, action: BulkAction, by: User, reason: str, options: Options, decider: Decider | None
) -> Result:
    try:
        _do(record, action, by, reason, options, decider)
    except MeshlineError as error:
        return Result(record.public_id, error.message, error.code)
    except (OperationalError, InterfaceError):
        raise  # the database is gone: nothing that follows could be done
    except Exception:
        log.exception("bulk %s of %s", action, record.public_id)
        return Result(
            record.public_id,
            "Meshline failed unexpectedly on this one; nothing of it was changed. The log has the trace.",
            "unexpected_error",
        )
    return Result(record.public_id)


def _do(record: Record, action: BulkAction, by: User, reason: str, options: Options, decider: Decider | None) -> None:
    if isinstance(record, Approval):
        decide = approvals.grant if action == BulkAction.GRANT else approvals.refuse
        decide(record, by=by, reason=reason, decider=decider)
    elif action == BulkAction.ACCEPT:
        approvals.accept(record, by=by, reason=reason)
    elif action == BulkAction.REPLAY:
        fixing.replay(record, by=by, reason=reason)
    elif action == BulkAction.ASSIGN:
        tickets.assign(record, to=options.to, by=by)
    elif action == BulkAction.ACKNOWLEDGE:
        tickets.acknowledge(record, by=by)
    else:
        tickets.resolve(record, resolution=options.resolution, note=reason, by=by)


def _may(record: Record, action: BulkAction, by: User, options: Options, decider: Decider | None) -> None:
    if isinstance(record, Approval):
        permissions.check_user_can_decide(by, record, decider=decider)
    elif action == BulkAction.ACCEPT:
        permissions.check_user_can_accept(by, record)
    elif action == BulkAction.REPLAY:
        permissions.check_user_can_fix(by, record)
    elif action == BulkAction.ASSIGN:
        permissions.check_user_can_assign(by, record, options.to if isinstance(options.to, User) else None)
    elif action == BulkAction.ACKNOWLEDGE:
        permissions.check_user_can_work(by, record)
    else:
        permissions.check_user_can_resolve(by, record, options.resolution)


def _check(queryset: QuerySet[Any], action: BulkAction) -> None:
    model = Approval if action in ON_APPROVALS else Ticket
    if queryset.model is not model:
        raise Invalid(
            f"{BulkAction(action).label} is for {model._meta.verbose_name_plural}, not for {queryset.model._meta.verbose_name_plural}.",
            code="wrong_records",
        )


def _chunks(queryset: QuerySet[Any]) -> Iterator[list[Any]]:
    """In the order of opening, with what checks read. The list of rows is fixed at the start: what changes meanwhile is refused one by one."""
    numbers = list(queryset.order_by("pk").values_list("pk", flat=True))
    related = ("run", "team", "ticket") if queryset.model is Approval else ("run", "owner", "queue")
    for start in range(0, len(numbers), CHUNK):
        rows = queryset.model._default_manager.select_related(*related).in_bulk(numbers[start : start + CHUNK])
        yield [rows[number] for number in numbers[start : start + CHUNK] if number in rows]


def _decider(by: User, chunk: list[Any]) -> Decider | None:
    events = [record.run.event_id for record in chunk if isinstance(record, Approval)]
    return Decider.of(by, event_ids=events) if events else None
