"""How much comes in and who has to wait, for pages, /metrics and /readyz. Reads what the doors keep in Valkey; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from meshline.kernel import counters
from syncflows.engine.counters import INTAKE_REFUSED
from syncflows.engine.door import backlog, paces, quotas
from syncflows.governance import catalog
from syncflows.governance.catalog import Versioned
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.intake import Intake

REASONS = {"quota_exceeded": "beyond its quota", "backlog_full": "because work piled up"}


@dataclass(frozen=True)
class Figures:
    """Events of one limited system this UTC day."""

    today: int
    per_day: int | None


@dataclass(frozen=True)
class Door:
    """The last count of the backlog, and the importances and sources that wait because of it."""

    backlog: int
    importances: tuple[str, ...]
    sources: tuple[str, ...]


def of_limited() -> dict[str, Figures]:
    """Of each system with a quota. Raises redis.RedisError."""
    specs = {found.name: found.spec.ingest for found in catalog.current().all(Kind.SYSTEM) if paces.limit_of(found.spec.ingest)}  # fmt: skip
    taken = quotas.taken_today(list(specs)) if specs else {}
    return {name: Figures(taken.get(name, 0), spec.per_day) for name, spec in specs.items()}


def door() -> Door:
    """As all doors see it. Raises redis.RedisError."""
    count = backlog.latest()
    return Door(count.total, count.importances, count.sources)


def sentence() -> str:
    """Whether all is taken in, for /readyz. Raises nothing."""
    try:
        state = door()
    except redis.RedisError:
        return "Everything is taken in. Without the broker each web process keeps its part of the quotas of sources for itself."
    if not state.importances and not state.sources:
        return "Everything is taken in, within the quotas of the sources."
    who = [f"sources of {name} importance" for name in state.importances] + list(state.sources)
    return f"{state.backlog:,} runs are due: {', '.join(who)} are sent away with 429 until there are fewer."


def rows(definition: Versioned) -> list[tuple[str, str]]:
    """Quotas and counters of one system, for `partials/key_values.html`."""
    spec = definition.spec.ingest or Intake()
    found = [("Quota", _quota(spec)), ("Importance", f"{spec.importance}: {_waits(spec)}")]
    try:
        if paces.limit_of(spec):
            today = quotas.taken_today([definition.name]).get(definition.name, 0)
            found.append(("Today (UTC)", f"{today:,}{f' of {spec.per_day:,}' if spec.per_day else ''} events"))
        found += _refused(definition.name)
        found += _now(definition, spec)
    except redis.RedisError:
        found.append(
            ("Counters", "not known: the broker does not answer; each web process keeps its part of the quota")
        )
    return found


def _quota(spec: Intake) -> str:
    rates = [(spec.per_second, "a second"), (spec.per_minute, "a minute"), (spec.per_day, "a day")]
    words = [f"{number:,g} {unit}" for number, unit in rates if number is not None]
    return ", ".join([*words, f"at most {spec.burst:,} at once"] if spec.burst and words else words) or "none"


def _waits(spec: Intake) -> str:
    own = f" or {spec.backlog:,} of its own" if spec.backlog else ""
    return f"waits above {backlog.mark_of(spec.importance):,.0f} due runs{own}"


def _refused(name: str) -> list[tuple[str, str]]:
    counted = counters.read()
    found = [(words, counted.get(f"{INTAKE_REFUSED}:{name}:{reason}", 0)) for reason, words in REASONS.items()]
    return [("Sent away", ", ".join(f"{number:,} requests {words}" for words, number in found if number) or "nothing")]


def _now(definition: Versioned, spec: Intake) -> list[tuple[str, str]]:
    state = door()
    if definition.name not in state.sources and spec.importance not in state.importances:
        return []
    return [("At the moment", f"is sent away with 429: {state.backlog:,} runs are due")]
