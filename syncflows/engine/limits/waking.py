"""Wakes what waits for a system: a few at once, then more and more, so that a system that has just come back is not run over.

Order: writes whose outcome is unknown first (they are looked up), then by priority, then the oldest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from meshline.kernel import jobs

FIRST = 4  # at once when a circuit closes; twice as many each second after
AT_ONCE_MAX = 2000  # rows in one statement; the sweeper schedules the rest
GONE_S = 30.0  # a run that is due later than this, though its system takes calls, was missed

WAITING = """
SELECT r.id, r.priority,
  NOT EXISTS (SELECT 1 FROM engine_step s WHERE s.run_id = r.id AND s.status IN ('unknown', 'sent')) AS certain
FROM engine_run r
WHERE r.status = 'retrying' AND r.waits_for = %(name)s AND r.due_at > statement_timestamp() + %(beyond)s * interval '1 second'
ORDER BY certain, r.priority, r.id
LIMIT %(limit)s
FOR UPDATE OF r SKIP LOCKED
"""
RAMP = f"""
UPDATE engine_run AS run SET due_at = statement_timestamp() + placed.after_s * interval '1 second'
FROM (
  SELECT id, GREATEST(
    floor(ln((row_number() OVER (ORDER BY certain, priority, id) - 1) / %(first)s::float + 1) / ln(2)),
    row_number() OVER (ORDER BY certain, priority, id) * %(every_s)s) AS after_s
  FROM ({WAITING}) AS waiting) AS placed
WHERE run.id = placed.id
"""  # noqa: S608 - made of constants
ONE = f"UPDATE engine_run AS run SET due_at = %(at)s FROM ({WAITING}) AS waiting WHERE run.id = waiting.id"  # noqa: S608 - made of constants
MISSED = """
SELECT waits_for FROM engine_run
WHERE status = 'retrying' AND waits_for LIKE 'system:%%' AND due_at > statement_timestamp() + %s * interval '1 second'
GROUP BY waits_for
"""


def waits_for(system: str) -> str:
    """What a run says that waits for a system's circuit to close, for a person's word, or for the end of a Retry-After."""
    return f"system:{system}"


def waits_for_turn(system: str) -> str:
    """What a run says that waits for its turn under the system's limits."""
    return f"system:{system}/limit"


def system_of(waits: str) -> str:
    return waits.removeprefix("system:").removesuffix("/limit")


def ramp(system: str, *, every_s: float = 0.0, beyond_s: float = 0.0) -> int:
    """Schedule those that wait; the count. `every_s`: the system's rate as seconds between two calls. Idempotent: what is due sooner keeps its time."""
    count = _run(RAMP, waits_for(system), limit=AT_ONCE_MAX, beyond=beyond_s, first=FIRST, every_s=every_s)
    if count:
        jobs.ring("engine.work")
    return count


def some(system: str, *, number: int) -> int:
    """Wake up to `number` of those that wait for their turn: as many permits came back."""
    count = _run(RAMP, waits_for_turn(system), limit=number, beyond=0.5, first=number, every_s=0.0)
    if count:
        jobs.ring("engine.work")
    return count


def one(system: str, *, at: datetime) -> int:
    """Make the best of those that wait due at `at`: the one that will try a half-open circuit."""
    return _run(ONE, waits_for(system), limit=1, beyond=-3600.0, at=at)


def missed() -> list[str]:
    """Systems that somebody waits for, and not for a moment only. One query."""
    with connection.cursor() as cursor:
        cursor.execute(MISSED, [GONE_S])
        return [system_of(waits) for (waits,) in cursor.fetchall() if not waits.endswith("/limit")]


def _run(statement: str, name: str, **values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"name": name, **values})
        return cursor.rowcount
