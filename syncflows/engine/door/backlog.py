"""How much work is due, counted now and then by one process for all, and who has to wait because of it. Never counted for a request.

With hysteresis: who waits at its mark is let in again at four fifths of it. A count that is old says nothing: then everybody is let in.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import redis
from django.conf import settings
from django.db import connection, connections

from syncflows.engine.door import quotas
from syncflows.engine.door.errors import BacklogFull
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.intake import Intake

log = logging.getLogger(__name__)
KEY, LOCK = "meshline:intake-backlog", "meshline:intake-backlog-counting"
EVERY_S, STALE_S = 2.0, 15.0
MARKS = {"low": 0.5, "normal": 0.8, "high": 1.0}  # of MESHLINE_BACKLOG_HIGH
RESUME_AT = 0.8  # of the mark
RETRY_AFTER_S, RETRY_AFTER_MAX_S = 30.0, 300.0  # while nothing is known of how fast work is done; at the most
SMOOTHING = 0.5

# What is due, by flow; beyond a bound it is only known to be more. And how many runs there ever were, to tell what was done since.
COUNT = """
SELECT flow, count(*) FROM (
    SELECT flow FROM engine_run WHERE status IN ('pending', 'retrying') AND due_at <= clock_timestamp() LIMIT %s
) AS due GROUP BY flow
"""
MADE = "SELECT pg_sequence_last_value(pg_get_serial_sequence('engine_run', 'id')::regclass)"


@dataclass(frozen=True)
class Count:
    """One count. `at` seconds since 1970; `made` runs ever; `done_per_s` how fast the backlog is worked off; `waiting` importances and sources that wait."""

    at: float = 0.0
    total: int = 0
    by_source: Mapping[str, int] = field(default_factory=dict)
    made: int = 0
    done_per_s: float = 0.0
    importances: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def age_s(self) -> float:
        return abs(time.time() - self.at)

    def is_fresh(self) -> bool:
        return self.age_s() < STALE_S


class Gauge:
    """One process's view of the last count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at = -EVERY_S
        self.count = Count()

    def touch(self, definitions: Catalog) -> None:
        """Have it renewed in a thread of its own, if it is time. Costs nothing otherwise."""
        if time.monotonic() - self._asked_at >= EVERY_S and self._lock.acquire(blocking=False):
            self._asked_at = time.monotonic()
            threading.Thread(target=self._renew, args=(definitions,), name="door-backlog", daemon=True).start()

    def refresh(self, definitions: Catalog) -> Count:
        """The count of another process if one has just counted; else count, for all. Raises django.db.Error."""
        try:
            if quotas.client().set(LOCK, 1, nx=True, px=int(EVERY_S * 900)):
                self.count = counted(self._known(), definitions)
                quotas.client().set(KEY, json.dumps(asdict(self.count)), ex=int(STALE_S))
            else:
                self.count = self._known()
        except redis.RedisError:
            self.count = counted(self.count, definitions)
        return self.count

    def forget(self) -> None:
        self.count, self._asked_at = Count(), -EVERY_S

    def verdict(self, source: str, spec: Intake | None) -> BacklogFull | None:
        """Why this source has to wait now, if it has."""
        count, rules = self.count, spec or Intake()
        if not count.is_fresh():
            return None
        if source in count.sources and rules.backlog is not None:
            own = count.by_source.get(source, 0)
            words = f"{own:,} runs of {source} are due, more than the {rules.backlog:,} its definition allows."
            return _wait(words, source, own, rules.backlog * RESUME_AT, count)
        if rules.importance in count.importances:
            mark = mark_of(rules.importance)
            words = f"{count.total:,} runs are due; above {mark:,.0f} sources of {rules.importance} importance wait."
            return _wait(words, source, count.total, mark * RESUME_AT, count)
        return None

    def _known(self) -> Count:
        raw: Any = quotas.client().get(KEY)
        return _read(raw) if raw else self.count

    def _renew(self, definitions: Catalog) -> None:
        try:
            self.refresh(definitions)
        except Exception as error:  # noqa: BLE001 - the next one counts again; without a count everybody is let in
            log.warning("the backlog was not counted: %s", error)
        finally:
            connections.close_all()
            self._lock.release()


GAUGE = Gauge()


def mark_of(importance: str) -> float:
    """Due runs above which sources of this importance wait."""
    return settings.MESHLINE_BACKLOG_HIGH * MARKS[importance]


def latest() -> Count:
    """The last count of whichever process made it; an empty one where none is fresh. Raises redis.RedisError."""
    raw: Any = quotas.client().get(KEY)
    return _read(raw) if raw else Count()


def counted(before: Count, definitions: Catalog) -> Count:
    """Count now, and decide who waits."""
    bound = 2 * settings.MESHLINE_BACKLOG_HIGH
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [bound])
        by_flow = dict(cursor.fetchall())
        cursor.execute(MADE)
        made = int((cursor.fetchone() or [0])[0] or 0)
    total, by_source, now = sum(by_flow.values()), _by_source(by_flow, definitions), time.time()
    waiting = tuple(name for name, part in MARKS.items() if _is_over(total, settings.MESHLINE_BACKLOG_HIGH * part, name in before.importances))  # fmt: skip
    return Count(
        now, total, by_source, made, _speed(before, total, made, now), waiting, _over(by_source, before, definitions)
    )


def _over(by_source: Mapping[str, int], before: Count, definitions: Catalog) -> tuple[str, ...]:
    limited = {name: found.spec.ingest.backlog for name, found in definitions.by_kind.get(Kind.SYSTEM, {}).items() if found.spec.ingest}  # fmt: skip
    return tuple(
        name for name, mark in limited.items() if mark and _is_over(by_source.get(name, 0), mark, name in before.sources)
    )  # fmt: skip


def _is_over(number: int, mark: float, was_over: bool) -> bool:
    return number > mark * (RESUME_AT if was_over else 1)


def _by_source(by_flow: Mapping[str, int], definitions: Catalog) -> dict[str, int]:
    flows, contracts = definitions.by_kind.get(Kind.FLOW, {}), definitions.by_kind.get(Kind.CONTRACT, {})
    found: dict[str, int] = {}
    for name, number in by_flow.items():
        flow = flows.get(name)
        contract = contracts.get(flow.spec.trigger.contract) if flow else None
        if contract:
            found[contract.spec.system] = found.get(contract.spec.system, 0) + number
    return found


def _speed(before: Count, total: int, made: int, now: float) -> float:
    """Runs a second that left the backlog since the count before, smoothed."""
    passed_s = now - before.at
    if not 0 < passed_s < STALE_S:
        return 0.0
    speed = max(0.0, (before.total + made - before.made - total) / passed_s)
    return speed if not before.done_per_s else SMOOTHING * speed + (1 - SMOOTHING) * before.done_per_s


def _wait(words: str, source: str, number: int, resume_at: float, count: Count) -> BacklogFull:
    wait_s = (number - resume_at) / count.done_per_s if count.done_per_s > 0 else RETRY_AFTER_S
    about = {"backlog": number, "done_per_s": round(count.done_per_s, 1)}
    return BacklogFull(words, retry_after_s=min(wait_s, RETRY_AFTER_MAX_S), source=source, **about)


def _read(raw: bytes) -> Count:
    found = json.loads(raw)
    return Count(**{**found, "importances": tuple(found["importances"]), "sources": tuple(found["sources"])})
