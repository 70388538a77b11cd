"""Staged imports by their label: who brings one, and how it stands. Writes only the import's own row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from meshline.audit import ledger as audit
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Invalid
from syncflows.engine.arrivals import Arrival
from syncflows.engine.enums import PARKED, RunStatus, StagedStatus, StagedVerdict
from syncflows.engine.models import Run
from syncflows.engine.soft.models import StagedBatch, StagedDocument
from syncflows.enums import HoldReason

HEADER = "meshline-staged"
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}")


class BadLabel(Invalid):
    default_code = "bad_batch_label"


@dataclass(frozen=True)
class Standing:
    """How an import stands: documents by status and by verdict, amounts of what is staged, runs that did not get there."""

    batch: StagedBatch
    statuses: list[tuple[str, str, int]]
    verdicts: list[tuple[str, str, int]]
    amounts: list[tuple[str, Decimal]]
    runs: dict[str, int] = field(default_factory=dict)


def default_label(name: str) -> str:
    """From what is imported and the minute."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:50] or "import"
    return f"{stem}-{timezone.now():%Y%m%d-%H%M}"


def check_label(label: str) -> str:
    """Raises BadLabel."""
    if not LABEL.fullmatch(label):
        raise BadLabel(
            f"{label[:100]!r} is no label of a staged import. It takes 1 to 80 letters, digits, dots, colons, dashes and underscores, for example deals-2024."
        )
    return label


def begin(label: str, *, by: Actor) -> StagedBatch:
    """The import's row, with this importer among its importers. Raises BadLabel. Idempotent: on label and importer. Locks: the row."""
    check_label(label)
    with transaction.atomic():
        StagedBatch.objects.get_or_create(label=label, defaults={"imported_by": str(by)[:200]})
        found = StagedBatch.objects.select_for_update().get(label=label)
        if by.ident not in found.importers:
            found.importers = [*found.importers, by.ident]
            found.save(update_fields=["importers"])
            audit.append(act="staged_import.began", by=by, object_kind="staged_import", object_id=label)
    return found


def marked(arrivals: Sequence[Arrival], *, headers: Mapping[str, str], by: Actor) -> list[Arrival]:
    """The arrivals of a request; of the staged import that its header names, if any. `headers` by lower-case name. Raises BadLabel."""
    if HEADER not in headers or not arrivals:
        return list(arrivals)
    label = begin(headers[HEADER].strip(), by=by).label
    return [replace(arrival, batch=label) for arrival in arrivals]


def standings(batches: Sequence[StagedBatch]) -> list[Standing]:
    """Four queries, whatever the number of imports."""
    labels = [found.label for found in batches]
    rows = StagedDocument.objects.filter(batch__in=labels)
    statuses = _counted(rows, "status")
    verdicts = _counted(rows.filter(status=StagedStatus.STAGED), "verdict")
    sums = rows.filter(status=StagedStatus.STAGED, amount__isnull=False).values_list("batch", "currency")
    amounts: dict[str, list[tuple[str, Decimal]]] = {}
    for label, currency, total in sums.annotate(total=Sum("amount")).order_by("batch", "currency"):
        amounts.setdefault(label, []).append((currency, total))
    runs = _runs(labels)
    return [
        Standing(
            found, statuses.get(found.label, []), verdicts.get(found.label, []), amounts.get(found.label, []), runs.get(found.label, {}),
        )
        for found in batches
    ]  # fmt: skip


def _counted(rows: Any, name: str) -> dict[str, list[tuple[str, str, int]]]:
    labels = dict([*StagedStatus.choices, *StagedVerdict.choices])
    found: dict[str, list[tuple[str, str, int]]] = {}
    for label, value, number in rows.values_list("batch", name).annotate(number=Count("pk")).order_by("batch", name):
        found.setdefault(label, []).append((value, str(labels.get(value, "Not compared")), number))
    return found


def _runs(labels: list[str]) -> dict[str, dict[str, int]]:
    """Runs of the imports by how they stand, without those whose documents are in the ledger."""
    staged = Q(status=RunStatus.HELD, hold_reason=HoldReason.STAGED)
    rows = Run.objects.filter(batch__in=labels).exclude(staged).values_list("batch", "status")
    found: dict[str, dict[str, int]] = {}
    for label, status, number in rows.annotate(number=Count("pk")).order_by("batch", "status"):
        found.setdefault(label, {})[status] = number
    return found


def failing(standing: Standing) -> int:
    """Records that did not get into the ledger and wait for somebody."""
    return sum(number for status, number in standing.runs.items() if status in PARKED)
