"""Staged documents beside what the target holds now: by the flow's reconcile rule where it covers them, else by looking the reference up.

Calls outside; never inside a transaction of ours. Reads there, never writes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db import transaction
from django.utils import timezone

from meshline.kernel import bulk_rows, jsontext
from meshline.kernel.actors import Actor
from meshline.kernel.errors import MeshlineError
from syncflows import hooks
from syncflows.connectors.errors import NotFound
from syncflows.connectors.protocol import Answer
from syncflows.engine import lineage
from syncflows.engine.connections import connection
from syncflows.engine.differences import payload_diff
from syncflows.engine.enums import FactKind, StagedStatus, StagedVerdict
from syncflows.engine.soft import ledger
from syncflows.engine.soft.models import StagedDocument
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind
from syncflows.hooks import Seen, StagedRecord

log = logging.getLogger(__name__)
THREADS_MAX = 8
DIFFERENCES_KEPT = 50
SEEN = ["verdict", "verdict_at", "difference", "external_id", "gate_due_at"]


@dataclass(frozen=True)
class Looked:
    """What one look-up found. `theirs` the target's documents; `rows` field by field against the first of them, for `partials/diff.html`."""

    theirs: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def compare(rows: Sequence[StagedDocument], *, by: Actor) -> tuple[dict[int, str], dict[int, MeshlineError]]:
    """Compare these documents (with their runs) and keep what was seen; verdicts, and errors of what could not be compared, by row number.

    Only what is still staged keeps a verdict. Idempotent: comparing again replaces the verdict. Locks: the documents, after the calls.
    """
    definitions = catalog.current()
    seen: dict[str, Seen] = {}
    errors: dict[int, MeshlineError] = {}
    for flow, some in groupby(sorted(rows, key=lambda row: row.flow), key=lambda row: row.flow):
        _see(flow, list(some), definitions, seen, errors)
    return _save(rows, seen, by=by), errors


def look(row: StagedDocument) -> Looked:
    """What the target holds under its reference, now. Raises ConnectorError, Missing (the system is gone)."""
    system = catalog.current().get(Kind.SYSTEM, row.system)
    theirs = [jsontext.mended(dict(answer.document)) for answer in _find(connection(system), row)]
    changes = payload_diff(theirs[0], row.document) if theirs else []
    common = [item for item in changes if str(item["path"]).split(".")[0].split("[")[0] in row.document]
    shown = [
        {"field": item["path"], "before": item["before"], "after": item["after"], "changed": True} for item in common
    ]
    return Looked(theirs, shown)


def _see(
    flow: str, rows: list[StagedDocument], definitions: Catalog, seen: dict[str, Seen], errors: dict[int, MeshlineError]
) -> None:
    try:
        seen |= hooks.compare_staged(flow, [_record(row) for row in rows])
    except MeshlineError as error:
        errors |= dict.fromkeys((row.pk for row in rows), error)
        return
    left = [row for row in rows if row.public_id not in seen]
    for name, some in groupby(sorted(left, key=lambda row: row.system), key=lambda row: row.system):
        _look_up(name, list(some), definitions, seen, errors)


def _look_up(
    name: str, rows: list[StagedDocument], definitions: Catalog, seen: dict[str, Seen], errors: dict[int, MeshlineError]
) -> None:
    """By reference, several at a time."""
    try:
        system = definitions.get(Kind.SYSTEM, name)
        connector = connection(system)
        with ThreadPoolExecutor(min(THREADS_MAX, system.spec.concurrency, len(rows)), "compare") as pool:
            for row, found in zip(rows, pool.map(lambda row: _tried(connector, row), rows), strict=True):
                if isinstance(found, MeshlineError):
                    errors[row.pk] = found
                else:
                    seen[row.public_id] = _of_answers(found)
    except MeshlineError as error:
        errors |= dict.fromkeys((row.pk for row in rows), error)


def _tried(connector: Any, row: StagedDocument) -> list[Answer] | MeshlineError:
    try:
        return _find(connector, row)
    except MeshlineError as error:
        return error


def _find(connector: Any, row: StagedDocument) -> list[Answer]:
    try:
        found: list[Answer] = connector.find(row.operation, reference=row.reference)
    except NotFound:
        return []
    return found


def _of_answers(found: list[Answer]) -> Seen:
    if not found:
        return Seen(StagedVerdict.MISSING)
    if len(found) > 1:
        return Seen(StagedVerdict.DUPLICATE, external_id=found[0].external_id)
    return Seen(StagedVerdict.FOUND, external_id=found[0].external_id)


def _record(row: StagedDocument) -> StagedRecord:
    return StagedRecord(
        row.public_id, row.reference, row.system, row.operation, row.canonical_key, row.run.canonical or {}, row.amount, row.currency, row.business_date
    )  # fmt: skip


def _save(rows: Iterable[StagedDocument], seen: dict[str, Seen], *, by: Actor) -> dict[int, str]:
    now, verdicts = timezone.now(), dict[int, str]()
    numbers = [row.pk for row in rows if row.public_id in seen]
    with transaction.atomic():
        locked = StagedDocument.objects.select_for_update(of=("self",)).select_related("run").order_by("pk")
        found = list(locked.filter(pk__in=numbers, status=StagedStatus.STAGED))
        for row in found:
            what = seen[row.public_id]
            row.verdict, row.verdict_at, verdicts[row.pk] = what.verdict, now, what.verdict
            row.difference = jsontext.storable(jsontext.mended(what.difference[:DIFFERENCES_KEPT]))
            row.external_id = jsontext.mended(what.external_id)[:200]
            row.gate_due_at = now if row.gate_state in ledger.GATED else None
        bulk_rows.update(found, SEEN)
        lineage.write([_fact(row, by) for row in found])
    return verdicts


def _fact(row: StagedDocument, by: Actor) -> lineage.Fact:
    said = f"{row.reference} compared with {row.system}: {StagedVerdict(row.verdict).label.lower()}"
    if row.difference:
        said += f" ({', '.join(str(item['name']) for item in row.difference[:5])})"
    detail = {"difference": row.difference, "external_id": row.external_id, "fingerprint": row.fingerprint}
    return lineage.of_run(
        row.run, FactKind.RECONCILED, said, by=by, staged=row.public_id, verdict=row.verdict, **detail
    )
