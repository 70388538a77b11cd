"""An acknowledgement is a promise: what was acknowledged is there after PostgreSQL was killed under load, and was committed to wait for the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import durability
from bench.cluster import Cluster
from bench.contenders import starting
from bench.stage import at


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_postgresql_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    with (
        at(0, cluster=cluster, folder=tmp_path) as stage,
        starting.meshline(stage, settings={}, without=("worker", "beat")) as running,
    ):
        cluster.execute("ALTER ROLE postgres SET synchronous_commit = off")
        cluster.end_connections()
        careless = durability.ask_sessions(running, stage)
        cluster.execute("ALTER ROLE postgres RESET synchronous_commit")
        cluster.end_connections()
        asked = durability.ask_sessions(running, stage)
        crashed = durability.crash_and_count(running, stage)
    assert careless["safe"] == 0, "the question can be answered with no"
    assert asked["safe"] == asked["asked"] == durability.ASKED
    assert crashed["acknowledged"] >= 2 * durability.ENOUGH
    assert crashed["lost"] == 0
