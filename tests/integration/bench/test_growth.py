"""The past that the benchmark of growth makes is whole: every event with all its rows, in its month, and new ones are carried beside it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from bench import growth
from bench.cluster import Cluster
from bench.errors import BenchError
from bench.growth import Options
from bench.stage import at

OPTIONS = Options(stored=100, events=64, rounds=1, months=2)


def test_copies_are_whole_and_new_events_are_carried_beside_them(cluster: Cluster, tmp_path: Path) -> None:
    with (
        at(0, cluster=cluster, folder=tmp_path) as stage,
        growth._place("test", OPTIONS.stored, OPTIONS, stage) as place,
        psycopg.connect(place.carrier.environment["DATABASE_URL"], autocommit=True) as connection,
    ):
        whole = connection.execute(
            "SELECT count(*), count(run.id), count(DISTINCT event.public_id) FROM engine_event AS event LEFT JOIN engine_run AS run ON run.event_id = event.id "
            "WHERE EXISTS (SELECT 1 FROM engine_lineagefact AS fact WHERE fact.event_id = event.id AND fact.run_id = run.id) "
            "AND EXISTS (SELECT 1 FROM engine_step AS step JOIN engine_writeattempt AS attempt ON attempt.step_id = step.id WHERE step.run_id = run.id) "
            "AND EXISTS (SELECT 1 FROM engine_eventkey AS key WHERE key.event_id = event.id AND key.source_event_id = event.source_event_id) "
            "AND EXISTS (SELECT 1 FROM engine_canonicalrecord AS record WHERE record.run_id = run.id)"
        ).fetchone()
        months = connection.execute("SELECT count(DISTINCT id >> 40) FROM engine_event").fetchone()
        taken = growth._carry(place, OPTIONS.events, stage)
    assert whole == (101, 101, 101)
    assert months == (3,)
    assert len(taken) == 1


def test_disk_that_has_no_room_is_not_begun_to_be_filled() -> None:
    with pytest.raises(BenchError, match="GB are free. Give a smaller --stored"):
        growth.run(Options(stored=10**12), output=None)
