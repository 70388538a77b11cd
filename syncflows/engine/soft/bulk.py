"""One act on many staged documents: chosen once, previewed, then carried by workers slice by slice, throttled, with a result for each, until done or cancelled.

Decides nothing itself: `acts` and `comparing` judge each document. One worker at a time; another takes over where that one went silent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from meshline.audit import ledger as audit
from meshline.kernel import actors, jobs
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Invalid, MeshlineError, Missing
from ownership.models import User
from syncflows.engine.enums import BulkState, StagedAction, StagedStatus
from syncflows.engine.models import Run
from syncflows.engine.soft import acts, comparing, legal, permissions
from syncflows.engine.soft.models import StagedBulk, StagedBulkItem, StagedDocument
from syncflows.governance import catalog

TASK = "engine.carry_staged_bulk"
SLICE = 100
INSERTED_AT_ONCE = 2_000
PREVIEWED_MAX = 5_000
SILENT = timedelta(seconds=60)
DRAFTS_KEPT = timedelta(days=1)


@dataclass
class Preview:
    """What an act would do: `amounts` by currency of the documents it would be done to; `refusals` sentence to count; `looked_at` of `total`."""

    action: StagedAction
    total: int = 0
    looked_at: int = 0
    allowed: int = 0
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    verdicts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.looked_at - self.allowed


def make(action: StagedAction, rows: QuerySet[StagedDocument], *, by: User) -> StagedBulk:
    """A draft for exactly the documents that these rows are now. Raises NotAllowed, Invalid (none). Old drafts of this person are cleared."""
    permissions.check_user_can_act(by, action)
    StagedBulk.objects.filter(by=by, asked_at=None, made_at__lt=timezone.now() - DRAFTS_KEPT).delete()
    with transaction.atomic():
        found = StagedBulk.objects.create(action=action, by=by)
        numbers = rows.order_by("pk").values_list("pk", flat=True)
        chosen = numbers.iterator(chunk_size=INSERTED_AT_ONCE)
        while some := list(islice(chosen, INSERTED_AT_ONCE)):
            StagedBulkItem.objects.bulk_create([StagedBulkItem(bulk=found, document_id=number) for number in some])
            found.total += len(some)
        if not found.total:
            raise Invalid(
                "Nothing is selected. Select at least one row, or a filter that finds some.", code="nothing_selected"
            )
        found.save(update_fields=["total"])
    return found


def get(public_id: str, *, by: User) -> StagedBulk:
    """Anybody may look at what was asked for; a draft is its maker's. Raises Missing."""
    found = StagedBulk.objects.select_related("by").filter(public_id=public_id).first()
    if found is None or (found.asked_at is None and found.by_id != by.pk):
        raise Missing(f"There is no bulk act {public_id}. Drafts are cleared after a day; select the documents again.")
    return found


def preview(found: StagedBulk) -> Preview:
    """What it would do now to the first 5,000 of its documents; counts, amounts by currency, verdicts, and why some are left. Writes nothing."""
    said = Preview(StagedAction(found.action), total=found.total)
    numbers = list(_left(found).values_list("document_id", flat=True)[:PREVIEWED_MAX])
    for start in range(0, len(numbers), SLICE):
        chunk = StagedDocument.objects.select_related("run", "approved_by").filter(
            pk__in=numbers[start : start + SLICE]
        )
        _look(found, list(chunk.order_by("pk")), said)
    return said


def ask(found: StagedBulk, *, reason: str, by: User) -> StagedBulk:
    """Start it, once. Raises NotAllowed, Conflict (started already), Invalid (no reason)."""
    permissions.check_user_can_act(by, StagedAction(found.action))
    why = reason.replace("\0", "").strip()[: acts.REASON_LENGTH]
    if not why and found.action != StagedAction.COMPARE:
        raise Invalid("The reason is missing. It is kept as evidence.", code="reason_missing")
    with transaction.atomic():
        asked = StagedBulk.objects.filter(pk=found.pk, asked_at=None, by=by)
        if not asked.update(asked_at=timezone.now(), reason=why):
            raise Conflict(f"{found.public_id} was started already. Its results are below.", code="started_already")
        _told(found, "asked", by=actors.of(by), reason=why, total=found.total)
        jobs.enqueue(TASK, bulk_id=found.pk)
    found.refresh_from_db()
    return found


def cancel(found: StagedBulk, *, by: User) -> StagedBulk:
    """Stop it after the slice under way; what is done stays done. Raises NotAllowed, Conflict (not under way)."""
    permissions.check_user_can_act(by, StagedAction(found.action))
    with transaction.atomic():
        open_ = StagedBulk.objects.filter(pk=found.pk, ended_at=None, asked_at__isnull=False, cancelled_at=None)
        if not open_.update(cancelled_at=timezone.now(), cancelled_by=str(by)[:200]):
            raise Conflict(f"{found.public_id} is not under way, so nothing can be cancelled.", code="not_under_way")
        _told(found, "cancelled", by=actors.of(by), reason="", total=found.total)
        jobs.enqueue(TASK, bulk_id=found.pk)
    found.refresh_from_db()
    return found


def carry(found: StagedBulk, *, slices: int = 20) -> StagedBulk:
    """Do up to so many slices of what is left; ring for the rest. Idempotent: what has a result is not touched again."""
    if not _claim(found):
        return found
    try:
        more = _slices(found, slices)
    except MeshlineError as error:
        found.problem, more = error.message, False
    _let_go(found, ended=not more)
    return found


def nudge_silent() -> int:
    """Ring for acts that nobody carries: the bell was lost, its worker died, or it waited for room. The count."""
    silent = Q(beat_at=None) | Q(beat_at__lt=timezone.now() - timedelta(seconds=5))
    numbers = list(
        StagedBulk.objects.filter(silent, asked_at__isnull=False, ended_at=None).values_list("pk", flat=True)[:20]
    )
    for number in numbers:
        jobs.ring(TASK, at_most_every_s=2, bulk_id=number)
    return len(numbers)


def counts(found: StagedBulk) -> dict[str, int]:
    """Documents by what became of them."""
    rows = found.items.values_list("state").annotate(number=Count("pk"))
    return {**dict.fromkeys(BulkState.values, 0), **dict(rows.order_by())}


def again(found: StagedBulk, *, by: User) -> StagedBulk:
    """A new draft with those that were left as they are. Raises as `make`."""
    left = found.items.filter(state=BulkState.LEFT).values("document")
    return make(StagedAction(found.action), StagedDocument.objects.filter(pk__in=left), by=by)


def _claim(found: StagedBulk) -> bool:
    now = timezone.now()
    free = Q(beat_at=None) | Q(beat_at__lt=now - SILENT)
    rows = StagedBulk.objects.filter(free, pk=found.pk, asked_at__isnull=False, ended_at=None)
    claimed = bool(rows.update(beat_at=now))
    found.refresh_from_db()
    return claimed


def _slices(found: StagedBulk, slices: int) -> bool:
    """Whether something is left."""
    for _ in range(slices):
        found.refresh_from_db(fields=["cancelled_at"])
        numbers = [] if found.cancelled_at else list(_left(found).values_list("pk", "document_id")[: _room(found)])
        if not numbers:
            return not found.cancelled_at and _left(found).exists()
        _do(found, {document: item for item, document in numbers})
        found.beat_at = timezone.now()
        found.save(update_fields=["beat_at"])
    return _left(found).exists()


def _room(found: StagedBulk) -> int:
    """How many may go next: promotions no faster than they are written."""
    if found.action not in (StagedAction.PROMOTE, StagedAction.ADOPT):
        return SLICE
    most = settings.MESHLINE_PROMOTING_MAX
    under_way = StagedDocument.objects.filter(status=StagedStatus.PROMOTING)[:most].count()
    return max(0, min(SLICE, most - under_way))


def _do(found: StagedBulk, items: dict[int, int]) -> None:
    """One slice: each document judged for itself; one that can be tried again later stays waiting once more."""
    said = {row.row.pk: row for row in _acted(found, list(items))}
    rows = list(StagedBulkItem.objects.filter(pk__in=items.values()))
    for item in rows:
        result = said.get(item.document_id)
        if result is None or not result.done:
            item.state, item.code = BulkState.LEFT, result.code if result else "gone"
            item.problem = result.problem if result else "It does not exist any more."
        else:
            item.state = BulkState.DONE
    StagedBulkItem.objects.bulk_update(rows, ["state", "code", "problem"])


def _acted(found: StagedBulk, ids: list[int]) -> list[acts.Result]:
    if found.action == StagedAction.COMPARE:
        return _compared(ids, by=actors.of(found.by))
    return acts.perform(StagedAction(found.action), ids, by=found.by, reason=found.reason)


def _compared(ids: list[int], *, by: Actor) -> list[acts.Result]:
    rows = list(StagedDocument.objects.select_related("run").filter(pk__in=ids).order_by("pk"))
    verdicts, errors = comparing.compare(rows, by=by)
    return [_result(row, verdicts, errors) for row in rows]


def _result(row: StagedDocument, verdicts: dict[int, str], errors: dict[int, MeshlineError]) -> acts.Result:
    if row.pk in errors:
        return acts.Result(row, errors[row.pk].message, errors[row.pk].code)
    if row.pk not in verdicts:
        return acts.Result(row, f"{row.public_id} is not staged any more.", "not_staged")
    return acts.Result(row)


def _left(found: StagedBulk) -> QuerySet[StagedBulkItem]:
    return StagedBulkItem.objects.filter(bulk=found, state=BulkState.WAITING).order_by("pk")


def _let_go(found: StagedBulk, *, ended: bool) -> None:
    found.ended_at = timezone.now() if ended else None
    found.beat_at = found.beat_at if ended else None
    found.save(update_fields=["ended_at", "problem", "beat_at"])
    if not ended:
        jobs.ring(TASK, at_most_every_s=1, bulk_id=found.pk)


def _look(found: StagedBulk, rows: Sequence[StagedDocument], said: Preview) -> None:
    definitions = catalog.current()
    runs = {row.run_id: row.run for row in rows}
    newer = legal.newer_of(runs.values())
    who = permissions.Approver.of(found.by, rows) if said.action == StagedAction.APPROVE else None
    for row in rows:
        said.looked_at += 1
        said.verdicts[row.verdict] += 1
        error = _against(said.action, row, row.run, newer.get(row.run_id), definitions, who, rows)
        if error:
            said.refusals[error.message.replace(row.public_id, "It")] += 1
            continue
        said.allowed += 1
        if row.amount is not None:
            said.amounts[row.currency] += row.amount


def _against(
    action: StagedAction, row: StagedDocument, run: Run, newer: Run | None, definitions: catalog.Catalog, who: permissions.Approver | None, rows: Sequence[StagedDocument]
) -> MeshlineError | None:  # fmt: skip
    gates = permissions.promotion_of(definitions, row.flow)
    if action == StagedAction.REVOKE:
        return legal.refusal_to_revoke(row, run)
    if action == StagedAction.COMPARE:
        return None
    if who is not None:
        return legal.refusal_to_approve(row) or permissions.refusal_to_approve(who, row, gates)
    return legal.refusal(row, run, action=action, newer=newer, gates=gates, earlier=acts.earlier(row, rows))


def _told(found: StagedBulk, what: str, *, by: Actor, reason: str, total: int) -> None:
    audit.append(
        act=f"staged_bulk.{what}", by=by, object_kind="staged_bulk", object_id=found.public_id, reason=reason,
        detail={"action": found.action, "documents": total},
    )  # fmt: skip
