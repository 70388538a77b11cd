"""Ratios say whether they hold, and the file says what the interface promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import engine, results
from bench.contest import Took
from bench.errors import BenchError
from bench.results import Sense, ratio


@pytest.mark.parametrize(("ours", "goal", "sense", "holds"), [
    (200.0, 2.0, Sense.AT_LEAST, True),
    (199.0, 2.0, Sense.AT_LEAST, False),
    (200.0, 2.0, Sense.AT_MOST, True),
    (201.0, 2.0, Sense.AT_MOST, False),
])  # fmt: skip
def test_ratio_holds_where_its_goal_is_met(ours: float, goal: float, sense: Sense, holds: bool) -> None:
    assert ratio("x", ours, 100.0, goal=goal, sense=sense).holds is holds


def test_ratio_refuses_to_divide_by_nothing() -> None:
    with pytest.raises(BenchError, match="nothing was measured"):
        ratio("x", 1.0, 0.0, goal=1.0)


def test_write_gives_what_the_interface_promises(tmp_path: Path) -> None:
    path = tmp_path / "new" / "engine.json"
    results.write(path, machine={"cpus": 2}, ratios=[ratio("a / b", 3.0, 2.0, goal=1.0)], figures={"a": 3.0})
    written = json.loads(path.read_text())
    assert written == {
        "machine": {"cpus": 2},
        "ratios": [{"name": "a / b", "value": 1.5, "goal": 1.0, "sense": "at_least", "holds": True}],
        "figures": {"a": 3.0},
    }
    assert [found.name for found in path.parent.iterdir()] == ["engine.json"]


def test_sentence_says_plainly_when_a_goal_does_not_hold() -> None:
    assert results.sentence(ratio("a / b", 1.0, 2.0, goal=1.0)) == "a / b: 0.5 (goal >= 1: DOES NOT HOLD)"


def test_table_aligns_figures_to_the_right() -> None:
    assert results.table([("", "n"), ("script", "1,000")]) == "            n\nscript  1,000"


def test_took_adds_the_parts_one_after_the_other() -> None:
    both = Took(100, 1.0, 0.5, 0.25).and_then(Took(120, 3.0, 1.0, 0.25))
    assert (both.events, both.per_second, both.cpu_s_per_1000) == (100, 25.0, 20.0)


def test_took_does_not_invent_the_cost_of_a_database_elsewhere() -> None:
    assert Took(100, 1.0, 0.5, None).and_then(Took(100, 1.0, 0.5, 0.1)).figures()["postgres_cpu_s"] is None


def test_ratios_of_compares_meshline_door_and_worker_together_with_each_other_contender() -> None:
    fast, slow, cheap = Took(100, 1.0, 0.2, 0.0), Took(100, 4.0, 0.2, 0.0), Took(100, 2.0, 0.1, 0.0)
    found = engine.ratios_of({20: engine.Round(slow, fast, cheap, cheap, cheap, cheap)})
    assert [(ratio.name, ratio.value) for ratio in found] == [
        ("events/s, meshline / script, ERP at 20 ms", 1.0),
        ("events/s, meshline / floor, ERP at 20 ms", 0.25),
        ("CPU, meshline / script, ERP at 20 ms", 1.0),
    ]
