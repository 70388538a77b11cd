"""Findings become discrepancies with one ticket each, and discrepancies that are gone are resolved; in bulk, in one transaction.

Locks are taken in this order: discrepancy, run, ticket, audit chain. Must not call outside.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from exceptions import drafts, tickets
from exceptions.enums import Resolution
from meshline.kernel import jsontext, transitions
from meshline.kernel.actors import Actor
from reconciliation import compare, wording
from reconciliation.compare import Finding, TheirItem
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus
from reconciliation.machines import DISCREPANCY
from reconciliation.models import Discrepancy, ReconciliationRun, Sighting
from reconciliation.our_side import Subject
from syncflows.engine import lineage
from syncflows.engine.enums import FactKind
from syncflows.engine.models import CanonicalRecord
from syncflows.hooks import Failure

SUBJECT = "discrepancy:"
UNPROVEN = (Resolution.ACCEPTED, Resolution.WRITTEN_OFF)  # a person decides that the difference may stay
CONTENT = ["kind", "ours", "theirs", "fields", "amount", "currency"]
BATCH = 1000


@dataclass
class Saved:
    """`opened` and `again` discrepancies with their tickets; `accepted` findings that a person has accepted exactly as they are."""

    opened: list[Discrepancy] = field(default_factory=list)
    again: list[Discrepancy] = field(default_factory=list)
    accepted: list[Finding] = field(default_factory=list)
    resolved: int = 0

    @property
    def live(self) -> list[Discrepancy]:
        return [*self.opened, *self.again]

    def count(self, kind: DiscrepancyKind) -> int:
        return sum(found.kind == kind for found in self.live)


def subject_of(found: Discrepancy) -> str:
    """What its ticket speaks of."""
    return f"{SUBJECT}{found.public_id}"


def still_open(flow: str) -> list[Discrepancy]:
    return list(
        Discrepancy.objects.filter(flow=flow, status=DiscrepancyStatus.OPEN).select_related("last_seen").order_by("pk")
    )


@transaction.atomic
def save(about: Subject, findings: Sequence[Finding], *, seen_by: ReconciliationRun) -> Saved:
    """Open what is new, update what is open. A key has one open discrepancy, whose kind may change; what is accepted as it is stays quiet.

    Locks: the flow's open discrepancies, then their tickets.
    """
    rows = Discrepancy.objects.select_for_update(of=("self",)).filter(flow=about.name, status=DiscrepancyStatus.OPEN)
    live = {row.key: row for row in rows.order_by("pk")}
    records = _records(findings)
    accepted = _accepted(about.name, [finding.key for finding in findings if finding.key not in live])
    saved = Saved()
    told: list[Finding] = []
    for finding in findings:
        row = _fill(live.get(finding.key) or _new(about, finding, seen_by), finding, records)
        row.last_seen = seen_by
        if row.pk is None and _sight(row) in accepted.get(finding.key, ()):
            saved.accepted.append(finding)
            continue
        (saved.opened if row.pk is None else saved.again).append(row)
        told.append(finding)
    Discrepancy.objects.bulk_create(saved.opened, batch_size=BATCH)
    _ticket(about, saved.live, {finding.key: finding for finding in told}, records)
    Discrepancy.objects.bulk_update(saved.live, [*CONTENT, "last_seen", "ticket"], batch_size=BATCH)
    Sighting.objects.bulk_create(
        [Sighting(run=seen_by, discrepancy=row, kind=row.kind) for row in saved.live], batch_size=BATCH
    )
    lineage.write([_found(row) for row in saved.opened if row.ticket and row.ticket.run])
    return saved


@transaction.atomic
def update(about: Subject, row: Discrepancy, finding: Finding) -> Discrepancy:
    """Write down how one open discrepancy looks now, on its ticket too. Locks: the discrepancy, its ticket."""
    row = Discrepancy.objects.select_for_update(of=("self",)).get(pk=row.pk)
    records = _records([finding])
    _fill(row, finding, records)
    _ticket(about, [row], {row.key: finding}, records)
    row.save(update_fields=[*CONTENT, "ticket"])
    return row


@transaction.atomic
def resolve(
    rows: Collection[Discrepancy],
    *,
    note: str,
    by: Actor,
    resolution: Resolution = Resolution.RECHECKED,
    close_tickets: bool = True,
) -> list[Discrepancy]:
    """Resolve those that are still open, and their tickets with them. Locks: the discrepancies, then the tickets. Idempotent: on the discrepancy."""
    locked = Discrepancy.objects.select_for_update(of=("self",)).filter(
        pk__in=[row.pk for row in rows], status=DiscrepancyStatus.OPEN
    )
    ended = list(locked.order_by("pk"))
    now = timezone.now()
    transitions.move_many(
        Discrepancy.objects.filter(pk__in=[row.pk for row in ended]), machine=DISCREPANCY, expected=[DiscrepancyStatus.OPEN], to=DiscrepancyStatus.RESOLVED,
        resolved_at=now, resolution_note=note,
    )  # fmt: skip
    if close_tickets:
        tickets.close_subjects([subject_of(row) for row in ended], resolution=resolution, note=note, by=by)
    _tell_lineage(ended, note, by)
    return ended


def reopen(row: Discrepancy, *, note: str, by: Actor) -> Discrepancy:
    """Open again, where a re-check finds that it never went away."""
    moved: Discrepancy = transitions.move(
        Discrepancy,
        row.pk,
        machine=DISCREPANCY,
        expected=DiscrepancyStatus.RESOLVED,
        to=DiscrepancyStatus.OPEN,
        by=by,
        reason=note,
        resolved_at=None,
        resolution_note="",
    )
    return moved


def _new(about: Subject, finding: Finding, seen_by: ReconciliationRun) -> Discrepancy:
    return Discrepancy(flow=about.name, system=about.system.name, key=finding.key, first_seen=seen_by)


def _fill(row: Discrepancy, finding: Finding, records: dict[int, CanonicalRecord]) -> Discrepancy:
    row.kind = finding.kind
    row.ours = _ours_shown(finding, records)
    row.theirs = _plain([_item_shown(item) for item in finding.theirs] or None)
    row.fields = _plain(
        [
            {
                "name": item.name,
                "ours": compare.shown(item.ours),
                "theirs": compare.shown(item.theirs),
                "tolerance": item.tolerance,
            }
            for item in finding.fields
        ]
    )
    row.amount, row.currency = compare.in_doubt(finding)
    return row


def _ticket(
    about: Subject, rows: Sequence[Discrepancy], findings: dict[str, Finding], records: dict[int, CanonicalRecord]
) -> None:
    failures = [_failure(about, row, findings[row.key], records) for row in rows]
    opened = tickets.open_all(failures, subjects=[subject_of(row) for row in rows])
    by_subject = {ticket.subject: ticket for ticket in opened}
    for row in rows:
        row.ticket = by_subject[subject_of(row)]


def _failure(about: Subject, row: Discrepancy, finding: Finding, records: dict[int, CanonicalRecord]) -> Failure:
    kind = DiscrepancyKind(finding.kind)
    record = records.get(finding.ours.row) if finding.ours and finding.ours.row else None
    run = record.run if record else None
    return Failure(
        exception_class=wording.exception_class(kind), reason=wording.REASONS[kind], message=wording.message(about, finding, record=record.key if record else ""),
        remedy=wording.remedy(about, finding), event_id=run.event_id if run else None, run_id=run.pk if run else None, flow=about.name, system=about.system.name,
        amount=row.amount, currency=row.currency, customer=run.customer if run else "", canonical_key=record.key if record else row.key,
        correlation_id=run.correlation_id if run else "",
        context={
            "discrepancy": row.public_id, "kind": kind.value, "ours": row.ours, "theirs": row.theirs, "fields": row.fields,
            "left_out": [_item_shown(item) for item in finding.aside],
        },
    )  # fmt: skip


def _records(findings: Sequence[Finding]) -> dict[int, CanonicalRecord]:
    rows = [finding.ours.row for finding in findings if finding.ours and finding.ours.row]
    found = CanonicalRecord.objects.select_related("run").defer("run__payload", "run__canonical").filter(pk__in=rows)
    return {row.pk: row for row in found}


def _ours_shown(finding: Finding, records: dict[int, CanonicalRecord]) -> dict[str, Any] | None:
    if finding.ours is None:
        return None
    record = records.get(finding.ours.row or 0)
    told = {
        "record": record.key, "run": record.run.public_id if record.run else None, "business_date": record.business_date, "delivered_at": record.delivered_at,
        "ids": record.external_ids, "document": record.document,
    } if record else {}  # fmt: skip
    ours = finding.ours
    fields = {name: compare.shown(value) for name, value in ours.fields.items()}
    return dict(_plain({"key": ours.key, "amount": ours.amount, "currency": ours.currency, "fields": fields, **told}))


def _item_shown(item: TheirItem) -> dict[str, Any]:
    fields = {name: compare.shown(value) for name, value in item.fields.items()}
    return {
        "id": item.ident,
        "key": item.key,
        "amount": item.amount,
        "currency": item.currency,
        "fields": fields,
        "document": item.item,
    }


def _plain(value: Any) -> Any:
    """As JSONB gives it back, without what PostgreSQL cannot hold."""
    return drafts.storable(jsontext.parse(jsontext.dumps(value)))


def _accepted(flow: str, keys: Sequence[str]) -> dict[str, list[str]]:
    """Key to what people accepted about it, newest decisions included."""
    rows = Discrepancy.objects.filter(
        flow=flow, key__in=keys, status=DiscrepancyStatus.RESOLVED, ticket__resolution__in=UNPROVEN
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(_sight(row))
    return found


def _sight(row: Discrepancy) -> str:
    """What a person saw when accepting it: the kind, the fields, and which documents."""
    theirs = sorted(item["id"] for item in row.theirs or ())
    return jsontext.dumps(
        [
            str(row.kind),
            row.fields,
            theirs,
            str(row.amount) if row.amount is None else f"{row.amount.normalize():f}",
            row.currency,
        ],
        sort_keys=True,
    )


def _found(row: Discrepancy) -> lineage.Fact:
    ticket = row.ticket
    assert ticket is not None
    assert ticket.run is not None
    summary = f"Found by {row.last_seen.public_id}: {ticket.message}"
    return lineage.of_run(
        ticket.run,
        FactKind.RECONCILED,
        summary,
        discrepancy=row.public_id,
        ticket=ticket.public_id,
        found=str(row.kind),
        fields=row.fields,
    )


def _tell_lineage(rows: Sequence[Discrepancy], note: str, by: Actor) -> None:
    ids = [row.pk for row in rows]
    known = Discrepancy.objects.filter(pk__in=ids, ticket__run__isnull=False).select_related("ticket__run")
    lineage.write(
        [
            lineage.of_run(
                row.ticket.run,
                FactKind.RECONCILED,
                f"{row.public_id} resolved: {note}",
                by=by,
                discrepancy=row.public_id,
                ticket=row.ticket.public_id,
            )
            for row in known
            if row.ticket and row.ticket.run
        ]
    )
