"""What the benchmarks tell people: tenths of a memory run, tables of the documentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import memory, tables
from bench.errors import BenchError


def test_tenths_are_means_by_events_carried() -> None:
    samples = [(done, 100 + done) for done in range(0, 100, 5)] + [(100, 300)]
    means = memory.tenths(samples, 100)
    assert (means[0], means[1]) == (102.5, 112.5)
    assert means[-1] == pytest.approx((190 + 195 + 300) / 3)


def test_tenths_refuse_a_tenth_that_nobody_read() -> None:
    with pytest.raises(BenchError, match="give more events"):
        memory.tenths([(0, 1), (100, 1)], 100)


def test_fill_replaces_what_is_between_the_marks_only(tmp_path: Path) -> None:
    ratio = {"name": "a", "value": 2.0, "goal": 1.0, "sense": "at_least", "holds": True}
    (tmp_path / "x.json").write_text(json.dumps({"ratios": [ratio]}))
    page = "before\n<!-- figures: goals x.json -->\nstale text\n<!-- end -->\nbetween\n<!-- figures: goals none.json -->\n<!-- end -->\n"
    filled = tables.fill(page, results=tmp_path)
    assert "| a | 2 | at least 1 | yes |" in filled
    assert filled.startswith("before\n")
    assert "stale text" not in filled
    assert "between" in filled
    assert tables.ABSENT in filled
    assert tables.fill(filled, results=tmp_path) == filled


def test_the_page_says_what_the_results_say() -> None:
    page = tables.PAGE.read_text()
    assert tables.fill(page, results=tables.RESULTS) == page, "run python -m bench.tables"
