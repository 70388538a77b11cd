"""Ratios say whether they hold, and the file says what the interface promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import results
from bench.errors import BenchError
from bench.results import Sense, figure, ratio


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


def test_figure_is_judged_as_it_is() -> None:
    assert figure("ms", 99.0, goal=100, sense=Sense.AT_MOST).holds


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
