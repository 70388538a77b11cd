"""Whether an event's cost grows with what is stored already: the same load on a database that holds few events and on one that holds very many, in turns.

`python -m bench.growth [--stored N]`. Both databases have the same months and live in one server of the benchmark's own; both are dropped afterwards.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import cluster as servers
from bench import machine, results
from bench.cluster import TEMPLATE, Cluster
from bench.errors import BenchError
from bench.processes import Child
from bench.results import Ratio, Sense, ratio
from bench.stage import Stage, at, say

RESULTS = Path(__file__).resolve().parent / "results"
FEW = 10_000
WARM_UP = 640
MOST = 1.15
BYTES_AN_EVENT = (
    14_000  # on disk at the worst while loading, the log and the sorting of indexes with it; found by trying
)
SPARE_BYTES = 12 * 10**9
P95 = 0.95


@dataclass(frozen=True)
class Options:
    stored: int = 10_000_000
    events: int = 6_400
    rounds: int = 4
    months: int = 6


@dataclass
class Place:
    """One database and the process that carries events in it."""

    name: str
    stored: int
    carrier: Child
    rows: dict[str, int]
    size_bytes: int
    empty_bytes: int
    by_table: dict[str, int]
    rounds: list[list[float]] = field(default_factory=list)
    written: list[float] = field(default_factory=list)

    def per_second(self, events: int) -> float:
        return statistics.median(events / sum(batches) for batches in self.rounds)

    def p95_s(self) -> float:
        found = sorted(batch for batches in self.rounds for batch in batches)
        return found[min(int(len(found) * P95), len(found) - 1)]


def run(options: Options, *, output: Path | None) -> list[Ratio]:
    """Measure, print, and write `output`. Raises BenchError; never fills the disk."""
    _check_disk(options)
    with servers.own() as cluster, tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        described = machine.describe(cluster.database_url)
        servers.make_template(cluster)
        with at(0, cluster=cluster, folder=Path(folder)) as stage, ExitStack() as stack:
            few = stack.enter_context(_place("few", FEW, options, stage))
            many = stack.enter_context(_place("many", options.stored, options, stage))
            _rounds(few, many, options, stage)
            found = _ratios(few, many, options)
            shown = {place.name: _figures(place, options) for place in (few, many)}
    for line in (*(results.sentence(one) for one in found), *(f"{name}: {figures}" for name, figures in shown.items())):
        print(line)
    if output is not None:
        results.write(output, machine=described, ratios=found, figures={"load": vars(options), **shown})
    return found


def _check_disk(options: Options) -> None:
    free, needed = shutil.disk_usage(servers.ROOT).free, options.stored * BYTES_AN_EVENT + SPARE_BYTES
    if free < needed:
        raise BenchError(
            f"{options.stored:,} stored events may need {needed / 1e9:.0f} GB with room to spare; {free / 1e9:.0f} GB are free. Give a smaller --stored."
        )


@contextmanager
def _place(name: str, stored: int, options: Options, stage: Stage) -> Iterator[Place]:
    cluster = stage.cluster
    with cluster.database(f"growth_{name}", template=TEMPLATE) as url:
        empty = _size(cluster, f"growth_{name}")
        say(f"{name}: storing {stored:,} events in {options.months} months")
        environment = stage.environment(url)
        with Child("bench.contenders.past", str(stored), str(options.months), environment=environment, log=stage.folder / f"{name}-past.log") as past:  # fmt: skip
            rows = past.read()["rows"]
        size = _size(cluster, f"growth_{name}")
        say(f"{name}: {size / 1e9:.2f} GB, {(size - empty) / stored:,.0f} bytes an event")
        with Child("bench.contenders.carrier", environment=environment, log=stage.folder / f"{name}.log") as carrier:
            yield Place(name, stored, carrier, rows, size, empty, _by_table(cluster, f"growth_{name}", stored))


def _rounds(few: Place, many: Place, options: Options, stage: Stage) -> None:
    """In turns, now one first, now the other; each as warm as the other."""
    for place in (few, many):
        _carry(place, WARM_UP, stage)
    for number in range(options.rounds):
        for place in (few, many) if number % 2 == 0 else (many, few):
            stage.cluster.execute("CHECKPOINT")
            before = stage.cluster.written_log_bytes()
            place.rounds.append(_carry(place, options.events, stage))
            place.written.append((stage.cluster.written_log_bytes() - before) / options.events)
            say(f"  {place.name:<5} {options.events / sum(place.rounds[-1]):6.0f} events/s")


def _carry(place: Place, count: int, stage: Stage) -> list[float]:
    """Raises BenchError unless each of them made one order."""
    prefix = f"{place.name}{secrets.token_hex(4)}"
    taken: list[float] = place.carrier.ask({"prefix": prefix, "first": 0, "count": count})["batch_s"]
    books = stage.books(prefix)
    if (books["orders"], books["duplicates"]) != (count, 0):
        raise BenchError(f"{count} events were carried and the ERP has {books}.")
    return taken


def _ratios(few: Place, many: Place, options: Options) -> list[Ratio]:
    names = f"{options.stored:,} stored / {FEW:,} stored"
    most = Sense.AT_MOST
    return [
        ratio(f"cost of an event, {names}", few.per_second(options.events), many.per_second(options.events), goal=MOST, sense=most),
        ratio(f"p95 of a batch of 64, {names}", many.p95_s(), few.p95_s(), goal=MOST, sense=most),
    ]  # fmt: skip


def _figures(place: Place, options: Options) -> dict[str, Any]:
    return {
        "stored_events": place.stored, "rows": place.rows, "database_gb": round(place.size_bytes / 1e9, 2), "bytes_an_event_by_table": place.by_table,
        "bytes_an_event": round((place.size_bytes - place.empty_bytes) / place.stored), "events_per_second": round(place.per_second(options.events), 1),
        "by_round": [round(options.events / sum(batches), 1) for batches in place.rounds], "batch_p95_ms": round(place.p95_s() * 1000, 1),
        "log_kb_an_event": round(statistics.median(place.written) / 1000, 2),
    }  # fmt: skip


def _by_table(cluster: Cluster, name: str, stored: int) -> dict[str, int]:
    """Bytes of what is stored, indexes included, for each event; partitions under their table's name."""
    found = cluster.execute(
        "SELECT coalesce(inhparent, oid)::regclass::text AS name, sum(pg_total_relation_size(oid))::bigint FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid "
        "WHERE relkind IN ('r', 'p') AND relname LIKE 'engine%' GROUP BY 1 ORDER BY 2 DESC",
        database=name,
    )
    return {str(table): round(int(str(size)) / stored) for table, size in found if int(str(size)) > stored}


def _size(cluster: Cluster, name: str) -> int:
    [[found]] = cluster.execute(f"SELECT pg_database_size('{name}')")
    return int(str(found))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--stored", type=int, default=Options.stored, help="events in the large database")
    parser.add_argument("--events", type=int, default=Options.events, help="carried in each round")
    parser.add_argument("--rounds", type=int, default=Options.rounds, help="in each database, in turns")
    parser.add_argument("--months", type=int, default=Options.months, help="over which what is stored is spread")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    options = Options(given.stored, given.events, given.rounds, given.months)
    try:
        found = run(options, output=given.results / "growth.json")
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
