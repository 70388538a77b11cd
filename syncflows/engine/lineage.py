"""The ordered facts of a run: written in bulk, in the transaction of what they tell, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone

from meshline.kernel.actors import Actor
from syncflows.engine.enums import FactKind
from syncflows.engine.models import LineageFact, Run, TraceKey


def fact(
    kind: FactKind,
    summary: str,
    *,
    event_id: int | None = None,
    run_id: int | None = None,
    actor: str = "",
    **detail: Any,
) -> LineageFact:
    """An unsaved fact; `write` saves it. `detail` must be JSON-compatible (Decimals and times are written as text)."""
    return LineageFact(
        kind=kind, summary=summary, event_id=event_id, run_id=run_id, at=timezone.now(), actor=actor, detail=detail
    )


def of_run(run: Run, kind: FactKind, summary: str, *, by: Actor | None = None, **detail: Any) -> LineageFact:
    """An unsaved fact of a run, and of its event."""
    return fact(kind, summary, event_id=run.event_id, run_id=run.pk, actor=str(by) if by else "", **detail)


def key(value: str, kind: str, event_id: int, run_id: int | None = None) -> TraceKey:
    """A name under which the record is found from now on."""
    return TraceKey(value=value[:200], kind=kind, event_id=event_id, run_id=run_id)


def write(facts: Sequence[LineageFact], keys: Iterable[TraceKey] = ()) -> None:
    """Save facts in their order, and trace keys that are new."""
    if facts:
        LineageFact.objects.bulk_create(facts, batch_size=1000)
    found = [item for item in keys if item.value]
    if found:
        TraceKey.objects.bulk_create(found, ignore_conflicts=True, batch_size=1000)
