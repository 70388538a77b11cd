"""Our side of a comparison: delivered canonical records, and what runs are doing with a key just now. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q

from meshline.kernel.errors import Invalid
from reconciliation.compare import OurRecord
from reconciliation.reading import Reader
from syncflows.engine import plans
from syncflows.engine.enums import DUE, IN_FLIGHT, PARKED, RunStatus, StepStatus
from syncflows.engine.models import CanonicalRecord, Run, Step
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.flows import ReconcileRule

CHUNK = 2000


@dataclass(frozen=True)
class Subject:
    """What is compared: a flow with its rule, the target system, and the canonical object's name."""

    flow: Versioned
    rule: ReconcileRule
    system: Versioned
    canonical: str

    @property
    def name(self) -> str:
        return self.flow.name

    def reader(self) -> Reader:
        return Reader(self.rule, canonical=self.canonical)


def subject(catalog: Catalog, flow: str) -> Subject:
    """Raises Missing (naming the flows there are), Invalid (the flow has no reconcile rule)."""
    found = catalog.get(Kind.FLOW, flow)
    rule = found.spec.reconcile
    if rule is None:
        raise Invalid(
            f"Flow {flow} has no `reconcile` rule, so nothing says what to compare. Add spec.reconcile with system, operation, key, ours and fields, "
            "and run `manage.py flows apply DIR`.",
            code="no_reconcile_rule",
        )
    return Subject(
        found, rule, catalog.get(Kind.SYSTEM, rule.system), catalog.get(Kind.MAPPING, found.spec.mapping).spec.object
    )


def in_window(about: Subject, reader: Reader, *, first: date, last: date, before: datetime) -> Iterator[OurRecord]:
    """Records of these business dates that were delivered before the listing began."""
    rows = CanonicalRecord.objects.filter(flow=about.name, business_date__range=(first, last), delivered_at__lt=before)
    fields = rows.only("key", "document", "amount", "currency").order_by("pk")
    for row in fields.iterator(chunk_size=CHUNK):
        yield reader.our_record(row)


def by_key(about: Subject, reader: Reader, keys: Collection[str]) -> dict[str, tuple[OurRecord, CanonicalRecord]]:
    """Delivered records of these references, whatever their date: found by their key, and by the writes that carried the reference."""
    canonical_keys = set(keys) | {run.canonical_key for runs in writers(about, keys).values() for run in runs}
    found: dict[str, tuple[OurRecord, CanonicalRecord]] = {}
    for chunk in _chunks(sorted(canonical_keys)):
        rows = CanonicalRecord.objects.filter(
            object=about.canonical, key__in=chunk, flow=about.name, delivered_at__isnull=False
        )
        for row in rows:
            record = reader.our_record(row)
            if record.key in keys:
                found[record.key] = (record, row)
    return found


def writers(about: Subject, keys: Collection[str]) -> dict[str, list[Run]]:
    """Reference to the runs whose writes into the target carry it, by the deterministic keys of those writes."""
    operations = {step.operation for step in about.flow.spec.steps if step.system == about.rule.system}
    references = {
        plans.idempotency_key(system=about.rule.system, operation=operation, reference=key): key
        for key in keys
        for operation in operations
    }
    found: dict[str, list[Run]] = {}
    for chunk in _chunks(list(references)):
        steps = (
            Step.objects.filter(idempotency_key__in=chunk, owns_write=True)
            .select_related("run")
            .defer("document", "answer", "run__payload", "run__canonical")
        )
        for step in steps:
            found.setdefault(references[step.idempotency_key], []).append(step.run)
    return found


def being_carried(about: Subject, canonical_keys: Collection[str]) -> set[str]:
    """Of these canonical keys, those a worker holds now, or whose run is due again with a part of its writes done or sent."""
    unsettled = Q(status__in=DUE, steps__status__in=(StepStatus.DONE, *IN_FLIGHT))
    found: set[str] = set()
    for chunk in _chunks(sorted(canonical_keys)):
        rows = Run.objects.filter(Q(status=RunStatus.RUNNING) | unsettled, flow=about.name, canonical_key__in=chunk)
        found |= set(rows.values_list("canonical_key", flat=True))
    return found


def parked_after_writing(about: Subject, runs: Collection[Run]) -> set[int]:
    """Row numbers of those runs that wait for a person after they wrote, or may have written, into the target."""
    waiting = [run.pk for run in runs if run.status in PARKED]
    written = (StepStatus.DONE, *IN_FLIGHT)
    rows = Step.objects.filter(run_id__in=waiting, system=about.rule.system, status__in=written)
    return set(rows.values_list("run_id", flat=True))


def _chunks(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
