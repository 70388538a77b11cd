"""Claims on a real backlog: one flood starves nobody, shares follow weights, and the cost is that of a batch, not of the backlog."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from syncflows.engine import claimable, claims, precedence
from syncflows.engine.models import Run
from syncflows.engine.shares import Queue
from tests.factories import records

pytestmark = pytest.mark.django_db
FLOOD = """
INSERT INTO engine_run (public_id, event_id, flow, status, lane, sequence, correlation_id, canonical_key, priority, due_at, tries, lease_owner, hold_reason,
                        waits_for, status_reason, clearances, plan_fingerprint, currency, customer, outcome, human_actions, created_at, updated_at)
SELECT %(mark)s || n, n, %(flow)s, 'pending', %(flow)s || ':' || n, '', '', '', %(priority)s, now() - interval '1 minute' + n * interval '1 microsecond', 0, '', '',
       '', '', '[]', '', '', '', '', 0, now(), now()
FROM generate_series(1, %(count)s) AS n
"""


def flood(flow: str, count: int, *, priority: int = 100) -> None:
    with connection.cursor() as cursor:
        values = {"flow": flow, "count": count, "priority": priority, "mark": f"run_{secrets.token_hex(3)}"}
        cursor.execute(FLOOD, values)
        cursor.execute("ANALYZE engine_run")


def batch(limit: int = 64) -> Counter[str]:
    """Claim one, and say whose runs it took."""
    lease = claims.claim(limit=limit)
    return Counter(Run.objects.filter(pk__in=lease.run_ids).values_list("flow", flat=True))


def test_a_flood_of_one_flow_does_not_starve_another() -> None:
    flood("flood", 20_000)
    flood("few", 10)
    first, second = batch(), batch()
    assert first["few"] == 10, "those of the other flow are taken with the first batch"
    assert (first["flood"], second["flood"]) == (54, 64), "and no place is wasted"


def test_shares_follow_weights_over_many_batches() -> None:
    flood("usual", 2_000)
    flood("lesser", 2_000, priority=200)
    taken = sum((batch() for _ in range(10)), Counter())
    assert 1.8 < taken["usual"] / taken["lesser"] < 2.2


def test_a_claim_reads_a_batch_and_not_the_backlog() -> None:
    flood("flood", 20_000)
    flood("few", 10)
    now = timezone.now()
    read = _rows_read(claimable.QUEUES, {"limit": 64})
    slots = {
        "flows": ["flood", "few"],
        "priorities": [100, 100],
        "slots": [54, 10],
        "now": now,
        "lanes": claimable.LANES,
    }
    read += _rows_read(claimable.CLAIMABLE, slots)
    assert read < 1_500
    assert claimable.queues(limit=64)[0] == [
        Queue("few", 100, 10, pytest.approx(60, abs=60)), Queue("flood", 100, 64, pytest.approx(60, abs=60)),
    ]  # fmt: skip


def test_a_claim_takes_the_first_of_each_lane_only() -> None:
    older, newer = records.event(lane="order:1"), records.event(lane="order:1")
    first = records.run(event=older, status="pending", sequence="1")
    records.run(event=newer, status="pending", sequence="2")
    lease = claims.claim(limit=10)
    assert lease.run_ids == (first.pk,)
    assert claims.claim(limit=10).run_ids == ()


def test_masters_that_cannot_go_do_not_hold_up_who_looks_them_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their one due run is behind another of its lane."""
    monkeypatch.setattr(precedence, "masters", lambda: {"orders": frozenset({"customers"})})
    later = timezone.now() + timedelta(hours=1)
    records.run(event=records.event(lane="customer:1"), flow="customers", status="retrying", priority=50, due_at=later)
    records.run(event=records.event(lane="customer:1"), flow="customers", status="pending", priority=50)
    order = records.run(flow="orders", status="pending")
    assert claims.claim(limit=10).run_ids == (order.pk,)


def _rows_read(statement: str, values: dict[str, Any]) -> int:
    """Rows that the plan's scans really touched; fails on a scan of the whole table."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", values)
        found = cursor.fetchone()[0]
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return sum(_touched(node) for node in _nodes(plan))


def _touched(node: dict[str, Any]) -> int:
    if "Relation Name" not in node:
        return 0
    assert node["Node Type"] != "Seq Scan" or node["Actual Loops"] == 0 or not node["Actual Rows"], node
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for child in plan.get("Plans", []) for found in _nodes(child))]
