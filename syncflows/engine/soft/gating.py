"""Gates asked in batches by a worker that the sweeper rings: what opens is promoted, what does not says why and when it is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from meshline.kernel import actors, bulk_rows
from meshline.kernel.errors import MeshlineError
from syncflows.engine import lineage
from syncflows.engine.enums import FactKind, GateState, RunStatus, StagedAction, StagedStatus, StagedVerdict
from syncflows.engine.models import Run
from syncflows.engine.soft import acts, comparing, gates
from syncflows.engine.soft.gates import Known, Verdict
from syncflows.engine.soft.ledger import gated_by
from syncflows.engine.soft.models import StagedDocument
from syncflows.enums import HoldReason
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.flows import Promotion

GATE = actors.system("gate")
AT_ONCE = 200
AGAIN_AFTER = timedelta(minutes=5)  # what could not be compared or promoted just now
ASKED = ["gate_state", "gate_reason", "gate_due_at"]


@dataclass
class Round:
    """What one round found, and counts of what it did."""

    judged: int = 0
    opened: int = 0
    promoted: int = 0
    verdicts: dict[int, Verdict] = field(default_factory=dict)


def due() -> bool:
    """Whether any gate is to be asked. One look at a partial index."""
    return StagedDocument.objects.filter(status=StagedStatus.STAGED, gate_due_at__lte=timezone.now()).exists()


def ask(*, limit: int = AT_ONCE) -> Round:
    """Judge up to `limit` documents whose gates are due; promote those that open. Idempotent; safe from several processes at once.

    Calls the target for those that must be compared. Locks: as `acts.promote`.
    """
    definitions = catalog.current()
    rows = _due(limit)
    failed = _compare(rows, definitions)
    found = _judge(rows, definitions, failed)
    for mode, some in _open(rows, found).items():
        results = acts.promote(some, by=GATE, reason=_why(found), mode=mode) if some else []
        found.promoted += sum(result.done for result in results)
        _again_later([result.row for result in results if not result.done])
    return found


def take_up(*, limit: int = AT_ONCE) -> int:
    """Let runs go on that were being carried while their document was promoted; the count. Idempotent. Locks: runs, then documents."""
    waiting = StagedDocument.objects.filter(status=StagedStatus.PROMOTING, run__status=RunStatus.HELD)
    ids = list(waiting.filter(run__hold_reason=HoldReason.STAGED).order_by("pk").values_list("pk", flat=True)[:limit])
    if not ids:
        return 0
    with transaction.atomic():
        runs, rows = acts.locked(ids)
        ready = [row for row in rows if row.status == StagedStatus.PROMOTING and _rests(runs[row.run_id])]
        acts.release(ready, runs, human=False)
    return len(ready)


def _rests(run: Run) -> bool:
    return run.status == RunStatus.HELD and run.hold_reason == HoldReason.STAGED


def _due(limit: int) -> list[StagedDocument]:
    rows = StagedDocument.objects.select_related("run", "approved_by").filter(
        status=StagedStatus.STAGED, gate_due_at__lte=timezone.now()
    )
    return list(rows.order_by("gate_due_at", "pk")[:limit])


def _compare(rows: Sequence[StagedDocument], definitions: Catalog) -> dict[int, MeshlineError]:
    """Ask the target about those whose gate wants it; the errors by row number."""
    now = timezone.now()
    wanted = [
        row
        for row in rows
        if (asked := _promotion(row, definitions)) and gates.needs_comparison(asked, known(row), now=now)
    ]
    return comparing.compare(wanted, by=GATE)[1] if wanted else {}


def _judge(rows: Sequence[StagedDocument], definitions: Catalog, failed: dict[int, MeshlineError]) -> Round:
    found, now = Round(judged=len(rows)), timezone.now()
    with transaction.atomic():
        locked = StagedDocument.objects.select_for_update(of=("self",)).select_related("run", "approved_by")
        fresh = list(locked.filter(pk__in=[row.pk for row in rows], status=StagedStatus.STAGED).order_by("pk"))
        told = [fact for row in fresh if (fact := _asked(row, definitions, failed, found, now))]
        bulk_rows.update(fresh, ASKED)
        lineage.write(told)
    return found


def _asked(
    row: StagedDocument, definitions: Catalog, failed: dict[int, MeshlineError], found: Round, now: datetime
) -> lineage.Fact | None:
    """Ask the gates of one document; the fact of it, where something is new."""
    promotion = _promotion(row, definitions)
    if promotion is None:
        row.gate_state, row.gate_reason, row.gate_due_at = GateState.BY_HAND, "its flow has no gates any more", None
        return None
    verdict = gates.judge(promotion, known(row), now=now)
    before = (row.gate_state, row.gate_reason)
    row.gate_state, row.gate_reason, row.gate_due_at = verdict.state, verdict.reason, verdict.ask_at
    if row.pk in failed:
        row.gate_reason = f"{verdict.reason} ({failed[row.pk].message})"[:2000]
        row.gate_due_at = now + AGAIN_AFTER
    found.verdicts[row.pk] = verdict
    if before == (row.gate_state, row.gate_reason):
        return None
    return _fact(row, verdict)


def _fact(row: StagedDocument, verdict: Verdict) -> lineage.Fact:
    listed = [{"gate": gate.kind.value, "holds": gate.holds, "why": gate.why} for gate in verdict.gates]
    said = f"Gate of {row.public_id} {verdict.state.label.lower()}: {row.gate_reason}"
    return lineage.of_run(
        row.run, FactKind.GATE, said, staged=row.public_id, verdict=verdict.state.value, gates=listed, fingerprint=row.fingerprint,
    )  # fmt: skip


def _open(rows: Sequence[StagedDocument], found: Round) -> dict[StagedAction, list[int]]:
    """What opened: to be adopted where the target has it already, else to be written."""
    opened = {pk for pk, verdict in found.verdicts.items() if verdict.state == GateState.OPEN}
    found.opened = len(opened)
    matched = set(
        StagedDocument.objects.filter(pk__in=opened, verdict=StagedVerdict.MATCHED).values_list("pk", flat=True)
    )
    return {StagedAction.ADOPT: sorted(matched), StagedAction.PROMOTE: sorted(opened - matched)}


def _why(found: Round) -> str:
    said = {verdict.reason for verdict in found.verdicts.values() if verdict.state == GateState.OPEN}
    return f"its gates opened: {' / '.join(sorted(said)[:3])}"


def _again_later(rows: Sequence[StagedDocument]) -> None:
    for row in rows:
        row.gate_due_at = timezone.now() + AGAIN_AFTER
    bulk_rows.update([row for row in rows if row.status == StagedStatus.STAGED], ["gate_due_at"])


def _promotion(row: StagedDocument, definitions: Catalog) -> Promotion | None:
    flow = definitions.by_kind.get(Kind.FLOW, {}).get(row.flow)
    promotion: Promotion | None = flow.spec.promotion if flow and gated_by(flow.spec, batch=row.batch) else None
    return promotion


def known(row: StagedDocument) -> Known:
    """What its gates are judged by."""
    by = str(row.approved_by) if row.approved_by else ""
    return Known(row.fingerprint, row.staged_at, row.verdict, row.verdict_at, row.approved_fingerprint, by)
