"""One discrepancy looked at again, on both sides, now. What agrees is resolved with its ticket; what does not says what still differs.

Calls the target; never inside a transaction of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from exceptions import tickets
from exceptions.enums import Resolution
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Missing
from reconciliation import discrepancies, our_side, runs, their_side, wording
from reconciliation.compare import Finding, Pair
from reconciliation.discrepancies import subject_of
from reconciliation.enums import DiscrepancyStatus
from reconciliation.judging import Judge
from reconciliation.models import Discrepancy
from reconciliation.our_side import Subject
from syncflows.governance import catalog


@dataclass(frozen=True)
class Rechecked:
    """`agrees`: both sides agree now, and discrepancy and ticket are resolved; `message` says so, or what still differs."""

    discrepancy: Discrepancy
    agrees: bool
    message: str


def find(public_id: str) -> Discrepancy:
    """Raises Missing."""
    row = Discrepancy.objects.select_related("ticket", "first_seen", "last_seen").filter(public_id=public_id).first()
    if row is None:
        raise Missing(f"There is no discrepancy {public_id}. It may be mistyped; look in the list of its flow.")
    return row


def recheck(public_id: str, *, by: Actor, note: str = "") -> Rechecked:
    """Look at exactly this key on both sides now; `note` of whom it asks stands before the proof.

    Raises Missing, Conflict (the record is being carried just now, or the system is paused), Invalid (the flow has no rule any more), ConnectorError.
    Locks: the discrepancy, its ticket, after the calls.
    """
    row = find(public_id)
    about = our_side.subject(catalog.current(), row.flow)
    finding = _look(about, row)
    if finding is None:
        return _agreed(row, by=by, note=note)
    if row.status == DiscrepancyStatus.RESOLVED:
        row = discrepancies.reopen(row, note="A re-check finds that it still differs.", by=by)
    row = discrepancies.update(about, row, finding)
    record = (row.ours or {}).get("record", "")
    return Rechecked(row, False, f"It still differs: {wording.message(about, finding, record=record)}")


def _look(about: Subject, row: Discrepancy) -> Finding | None:
    target = their_side.Target(about)
    if runs.is_keyless(row):
        return None if runs.gone_from_listing(about, target, [row]) else _as_listed(about, target, row)
    pair = Pair(row.key)
    if not target.can_find:
        _add_listed(about, target, row, pair)
    judged = Judge(about, about.reader(), target, timezone.now()).settle({row.key: pair})
    if not target.can_find and not pair.theirs:
        _add_listed(about, target, row, pair)
        judged = Judge(about, about.reader(), target, timezone.now()).settle({row.key: pair})
    if row.key in judged.in_flight:
        raise Conflict(
            f"{row.key} is being carried just now. Check {row.public_id} again in a moment.",
            code="in_flight",
            retryable=True,
        )
    return judged.comparison.findings[0] if judged.comparison.findings else None


def _as_listed(about: Subject, target: their_side.Target, row: Discrepancy) -> Finding | None:
    """A document without reference, as the list shows it now."""
    pair = Pair(row.key)
    _add_listed(about, target, row, pair, idents={item["id"] for item in row.theirs or ()})
    judged = Judge(about, about.reader(), target, timezone.now()).settle({row.key: pair})
    return judged.comparison.findings[0] if judged.comparison.findings else None


def _add_listed(
    about: Subject, target: their_side.Target, row: Discrepancy, pair: Pair, *, idents: set[str] | None = None
) -> None:
    """From the list of the window that showed it last, for systems that look nothing up by reference."""
    reader = about.reader()
    for document in target.listed(first=row.last_seen.window_from, last=row.last_seen.window_to):
        item = reader.their_item(document)
        if item is not None and ((item.ident in idents and not item.key) if idents else item.key == row.key):
            pair.theirs.append(item)


def _agreed(row: Discrepancy, *, by: Actor, note: str) -> Rechecked:
    proof = f"{note} Proven by a re-check: both sides agree.".strip()
    discrepancies.resolve([row], note=proof, by=by)
    tickets.close_subjects(
        [subject_of(row)], resolution=Resolution.RECHECKED, note=proof, by=by
    )  # one that was reopened by hand
    return Rechecked(
        find(row.public_id), True, f"Both sides agree on {row.key}. {row.public_id} and its ticket are resolved."
    )
