"""The benchmark and the fault run really run, with a handful of events: what they measure, count and write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import engine
from bench.contest import Part
from bench.errors import BenchError
from bench.processes import Child
from tests.integration.engine import deals

EVENTS = 5


@pytest.fixture
def environment(transactional_db: None) -> dict[str, str]:
    """This test's own database, as a benchmark's processes see it."""
    return {**deals.environment(MESHLINE_LOG_LEVEL="WARNING", MESHLINE_TASK_QUEUE="bench-smoke")}


@pytest.mark.slow
def test_measure_carries_every_event_through_each_contender(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with engine.erp_at(0, environment=environment, log=log) as erp:
        script = engine.measure(erp, "script", "s", EVENTS, log)
        floor = engine.measure(erp, "floor", "f", EVENTS, log)
        door, worker = engine.measure_meshline(erp, "m", EVENTS, 1, log)
    assert [took.events for took in (script, floor, door)] == [EVENTS] * 3
    assert worker.events >= EVENTS
    assert all(took.seconds > 0 for took in (script, floor, door, worker))


def test_part_that_ends_early_is_an_error_with_its_last_words(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = {**environment, "BENCH_ERP_URL": "http://127.0.0.1:9"}
    with (
        pytest.raises(BenchError, match=r"(?s)contenders\.script ended with 1.*ConnectError"),
        Part("bench.contenders.script", "s", "1", environment=nowhere, log=tmp_path / "log"),
    ):
        pytest.fail("it was ready without an ERP")


def test_child_ends_with_its_parents_side(environment: dict[str, str], tmp_path: Path) -> None:
    with Child("bench.erp_stub", environment=environment, log=tmp_path / "log") as stub:
        assert stub.read()["url"].startswith("http://127.0.0.1:")
    assert stub.process.returncode == 0


@pytest.mark.parametrize("module", ["bench", "bench.chaos"])
def test_commands_refuse_nonsense(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--events", "0"],
        cwd=Path(__file__).parents[3],
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "must be 1 or more" in done.stderr
