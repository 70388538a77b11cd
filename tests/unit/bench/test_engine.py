"""From rounds to ratios: whose cost counts, which round stands for the others, what is compared with what."""

from __future__ import annotations

import pytest

from bench import contest, engine, profile
from bench.contest import Took, Written
from bench.engine import Contender
from bench.metering import Usage

ACKS = {"p50": 10.0, "p95": 20.0, "p99": 30.0}


def took(*, seconds: float = 2.0, events: int = 1000, written_bytes: int = 0) -> Took:
    used = {
        "web": Usage(1.0, 500_000),
        "postgres": Usage(0.5, 9_000_000),
        "erp": Usage(7.0, 7),
        "source": Usage(7.0, 7),
    }
    return Took(events, seconds, seconds, used, Written({"log": written_bytes}, 0, 0, 0, 0), ACKS)


def test_took_leaves_the_erp_and_the_source_out() -> None:
    assert (took().per_second, took().cpu_s_per_1000) == (500.0, 1.5)


def test_took_believes_postgresql_about_what_it_wrote_and_the_kernel_about_the_others() -> None:
    assert took(written_bytes=1_500_000).kb_an_event == 2.0


def test_contender_shows_the_median_and_the_spread() -> None:
    contender = Contender("", [took(seconds=seconds) for seconds in (1.0, 4.0, 2.0)])
    assert contender.median(lambda found: found.per_second) == 500
    assert contender.spread(lambda found: found.per_second) == (250, 1000)


def test_ratios_of_compares_with_each_that_played() -> None:
    played = {
        name: Contender("", [took(seconds=s)]) for name, s in (("floor", 1.0), ("script", 4.0), ("meshline", 2.0))
    }
    found = {ratio.name: ratio for ratio in engine.ratios_of(0, played)}
    assert found["events/s, meshline / floor, ERP at 0 ms"].value == 0.5
    assert found["events/s, meshline / script, ERP at 0 ms"].value == 2.0
    assert found["events/s, meshline, ERP at 0 ms"].goal == 400
    assert found["acknowledgement p99 at concurrency 64 (ms), meshline, ERP at 0 ms"].holds


def test_ratios_of_says_nothing_without_us() -> None:
    assert engine.ratios_of(0, {"floor": Contender("", [took()])}) == []


def test_percentiles_are_of_what_was_acknowledged() -> None:
    seen = {"latencies_s": [number / 1000 for number in range(100, 0, -1)]}
    assert contest.percentiles(seen) == pytest.approx({"p50": 51.0, "p95": 96.0, "p99": 100.0})
    assert contest.percentiles(None) == {}


def test_report_sums_stacks_by_function_and_names_what_ours_cost_with_all_below() -> None:
    ours, library = (
        "accept (syncflows/engine/ingest.py:50)",
        "execute (/v/site-packages/psycopg/cursor.py:9)",
    )
    stacks = f"process 1;{ours};{library} 3\n{library.replace(':9', ':10')} 1\n"
    tables = profile.shares(stacks)
    assert tables["own time, by function"] == [("psycopg/cursor.py execute", 100.0)]
    assert tables["with what they call, our functions"] == [("syncflows/engine/ingest.py accept", 75.0)]
    assert "75.0 %  syncflows/engine/ingest.py accept" in profile.report("web", tables)
