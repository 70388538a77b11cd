"""The statements behind a claim: which queues have something due, and the runs that a batch takes of each. Both cost the same at any length of backlog."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from meshline.kernel import clock
from syncflows.engine.shares import Queue

LANES = 0x6C616E65  # seed that keeps the lanes' advisory locks apart from others'
# The first of its lane, and none of the lane is running. Asked of each candidate by itself, as a value: written as NOT EXISTS it becomes a join, which
# a planner that has not yet heard of a sudden backlog (its statistics say that nothing is due) answers by reading the whole backlog for each candidate.
FREE = """coalesce((
    SELECT false FROM engine_run o
    WHERE o.lane = r.lane AND o.id <> r.id AND o.status IN ('pending', 'retrying', 'running')
      AND (o.status = 'running' OR (o.sequence COLLATE "C", o.event_id, o.id) < (r.sequence COLLATE "C", r.event_id, r.id))
    LIMIT 1), true)"""
# A walk from one flow and priority to the next, by index; of each, as many as a batch could take are counted, never the backlog.
QUEUES = f"""
WITH RECURSIVE queue AS (
  (SELECT flow, priority FROM engine_run WHERE status IN ('pending', 'retrying') ORDER BY flow, priority LIMIT 1)
  UNION ALL
  SELECT next.flow, next.priority FROM queue CROSS JOIN LATERAL (
    SELECT flow, priority FROM engine_run
    WHERE status IN ('pending', 'retrying') AND (flow, priority) > (queue.flow, queue.priority) ORDER BY flow, priority LIMIT 1) AS next
)
SELECT queue.flow, queue.priority, depth.count, extract(epoch FROM statement_timestamp() - head.due_at)::float, statement_timestamp()
FROM queue CROSS JOIN LATERAL (
  SELECT r.due_at FROM engine_run r
  WHERE r.flow = queue.flow AND r.priority = queue.priority AND r.status IN ('pending', 'retrying') AND r.due_at <= statement_timestamp() AND {FREE}
  ORDER BY r.due_at, r.id LIMIT 1) AS head
CROSS JOIN LATERAL (
  SELECT count(*) FROM (
    SELECT 1 FROM engine_run r
    WHERE r.flow = queue.flow AND r.priority = queue.priority AND r.status IN ('pending', 'retrying') AND r.due_at <= statement_timestamp()
    ORDER BY r.due_at, r.id LIMIT %(limit)s) AS counted) AS depth
"""  # noqa: S608 - made of constants
# Of these, the ones whose lane nobody else is claiming at this moment: the lanes stay locked until the transaction ends.
CLAIMABLE = f"""
WITH candidate AS MATERIALIZED (
  SELECT run.id, run.lane, run.deaths, run.due_at
  FROM unnest(%(flows)s::text[], %(priorities)s::int[], %(slots)s::int[]) AS share(flow, priority, slots)
  CROSS JOIN LATERAL (
    SELECT r.id, r.lane, r.deaths, r.due_at FROM engine_run r
    WHERE r.flow = share.flow AND r.priority = share.priority AND r.status IN ('pending', 'retrying') AND r.due_at <= %(now)s AND {FREE}
    ORDER BY r.due_at, r.id
    LIMIT share.slots
    FOR UPDATE OF r SKIP LOCKED) AS run
)
SELECT id, deaths FROM candidate WHERE pg_try_advisory_xact_lock(hashtextextended(lane, %(lanes)s)) ORDER BY due_at, id
"""  # noqa: S608 - made of constants


def queues(*, limit: int) -> tuple[list[Queue], datetime]:
    """What has something that could go, by the database's clock; and what time that is."""
    with connection.cursor() as cursor:
        cursor.execute(QUEUES, {"limit": limit})
        rows = cursor.fetchall()
    if rows:
        clock.set_by(rows[0][-1])
    return [Queue(*row[:-1]) for row in rows], clock.now()


def lock(shares: Mapping[Queue, int], *, now: datetime) -> list[tuple[int, int]]:
    """Lock up to its share of each queue, oldest first: row number, and how many workers died with it. Call in a transaction."""
    taken: dict[str, Any] = {
        "flows": [queue.flow for queue in shares], "priorities": [queue.priority for queue in shares], "slots": list(shares.values()),
        "now": now, "lanes": LANES,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(CLAIMABLE, taken)
        return [(int(pk), int(deaths)) for pk, deaths in cursor.fetchall()]
