"""Append acts to the ledger, and verify its chain."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from meshline.audit.models import AuditEvent
from meshline.kernel import fingerprint, jsontext
from meshline.kernel.actors import Actor
from meshline.kernel.transitions import Machine

GENESIS = "0" * 64
CHAIN_LOCK = 0x6D657368  # advisory lock: appends form one chain, so they queue here until their transactions end


@dataclass(frozen=True)
class Verdict:
    """`checked` rows; `bad_number` the first row that does not fit, or None."""

    checked: int
    bad_number: int | None
    problem: str = ""


def append(
    *, act: str, by: Actor, object_kind: str, object_id: str, reason: str = "", detail: dict[str, Any] | None = None
) -> AuditEvent:
    """Add one act, in the caller's transaction. Locks: the chain, until that transaction ends."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
        last = AuditEvent.objects.order_by("-number").values_list("number", "hash").first() or (0, GENESIS)
        row = AuditEvent(
            number=last[0] + 1, previous_hash=last[1], at=timezone.now(), actor_kind=by.kind, actor=by.ident, actor_label=by.label, act=act,
            object_kind=object_kind, object_id=object_id, reason=reason, detail=fingerprint_safe(detail or {}),
        )  # fmt: skip
        row.hash = digest(row)
        row.save(force_insert=True)
    return row


@dataclass(frozen=True)
class Act:
    """One act to append: `object_kind` and `object_id` name what it was done to."""

    act: str
    object_kind: str
    object_id: str
    reason: str = ""
    detail: dict[str, Any] | None = None


def append_all(acts: Sequence[Act], *, by: Actor) -> None:
    """Add acts in their order, in the caller's transaction, in three queries. Locks: the chain, until that transaction ends."""
    if not acts:
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
        number, last = AuditEvent.objects.order_by("-number").values_list("number", "hash").first() or (0, GENESIS)
        rows: list[AuditEvent] = []
        for place, item in enumerate(acts, start=1):
            row = AuditEvent(
                number=number + place, previous_hash=rows[-1].hash if rows else last, at=timezone.now(), actor_kind=by.kind, actor=by.ident,
                actor_label=by.label, act=item.act, object_kind=item.object_kind, object_id=item.object_id, reason=item.reason,
                detail=fingerprint_safe(item.detail or {}),
            )  # fmt: skip
            row.hash = digest(row)
            rows.append(row)
        AuditEvent.objects.bulk_create(rows)


def record_move(*, row: models.Model, machine: Machine, found: str, to: str, by: Actor, reason: str) -> None:
    """The audit row of a status change; registered with `kernel.transitions`."""
    act = machine.acts.get(to, f"{machine.name}.{to}")
    ident = str(getattr(row, "public_id", row.pk))
    append(act=act, by=by, object_kind=machine.name, object_id=ident, reason=reason, detail={"from": found, "to": to})


def digest(row: AuditEvent) -> str:
    """The hash that this row must carry."""
    content = [
        row.number,
        row.at,
        row.actor_kind,
        row.actor,
        row.actor_label,
        row.act,
        row.object_kind,
        row.object_id,
        row.reason,
        row.detail,
    ]
    return hashlib.sha256(row.previous_hash.encode() + fingerprint.canonical(content)).hexdigest()


def verify(rows: Iterator[AuditEvent] | None = None) -> Verdict:
    """Walk the chain from its beginning; stop at the first row whose hash, link or number does not fit."""
    previous, checked = GENESIS, 0
    for row in rows if rows is not None else AuditEvent.objects.order_by("number").iterator(chunk_size=2000):
        checked += 1
        problem = _problem(row, previous=previous, number=checked)
        if problem:
            return Verdict(checked, row.number, problem)
        previous = row.hash
    return Verdict(checked, None)


def fingerprint_safe(detail: dict[str, Any]) -> dict[str, Any]:
    """The same content as JSON stores it, so that the hash is the same when read back."""
    return dict(jsontext.parse(jsontext.dumps(detail))) if detail else {}


def _problem(row: AuditEvent, *, previous: str, number: int) -> str:
    if row.number != number:
        return f"row {number} is missing; the next one found is {row.number}"
    if row.previous_hash != previous:
        return f"row {row.number} does not follow the row before it"
    if row.hash != digest(row):
        return f"row {row.number} was changed after it was written"
    return ""
