"""The ordered facts of a run: written in bulk, in the transaction of what they tell, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meshline.kernel import bulk_rows, clock, jsontext
from meshline.kernel.actors import Actor
from syncflows.engine.enums import FactKind
from syncflows.engine.models import LineageFact, Run, TraceKey

FACT_COLUMNS = ("event_id", "run_id", "at", "kind", "summary", "detail", "actor")
NAME_COLUMNS = ("value", "kind", "event_id", "run_id")
_json = jsontext.ExactEncoder()


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact to be written; see `LineageFact`."""

    event_id: int | None
    run_id: int | None
    at: datetime
    kind: FactKind
    summary: str
    detail: dict[str, Any]
    actor: str = ""

    def row(self) -> tuple[Any, ...]:
        return (
            self.event_id,
            self.run_id,
            self.at,
            self.kind.value,
            self.summary,
            _json.encode(self.detail),
            self.actor,
        )


@dataclass(frozen=True, slots=True)
class Name:
    """A name under which a record is found from now on; see `TraceKey`."""

    value: str
    kind: str
    event_id: int
    run_id: int | None = None


def fact(
    kind: FactKind,
    summary: str,
    *,
    event_id: int | None = None,
    run_id: int | None = None,
    actor: str = "",
    **detail: Any,
) -> Fact:
    """A fact for `write`. `detail` must be JSON-compatible (Decimals and times are written as text)."""
    return Fact(event_id, run_id, clock.now(), kind, summary, detail, actor)


def of_run(run: Run, kind: FactKind, summary: str, *, by: Actor | None = None, **detail: Any) -> Fact:
    """A fact of a run, and of its event."""
    return Fact(run.event_id, run.pk, clock.now(), kind, summary, detail, str(by) if by else "")


def key(value: str, kind: str, event_id: int, run_id: int | None = None) -> Name:
    """A name under which the record is found from now on."""
    return Name(value[:200], kind, event_id, run_id)


def write(facts: Sequence[Fact], names: Iterable[Name] = ()) -> None:
    """Save facts in their order, and names that are new."""
    if facts:
        bulk_rows.append(LineageFact, FACT_COLUMNS, (found.row() for found in facts))
    new = [(name.value, name.kind, name.event_id, name.run_id) for name in names if name.value]
    bulk_rows.insert(TraceKey, NAME_COLUMNS, new, on_conflict="DO NOTHING")
