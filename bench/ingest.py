"""The door: how fast it acknowledges at its ceiling and well below it, and whether what it acknowledged survives the end of PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import cluster as servers
from bench import contest, durability, machine, results
from bench.contenders import starting
from bench.errors import BenchError
from bench.metering import between, read
from bench.processes import Child
from bench.results import Ratio, Sense, figure
from bench.stage import Running, Stage, at, say

SHARE = 0.6  # of the ceiling, offered whatever the door does
ROWS_AN_IMPORT = 5000
CLOSED, OPEN = "at its ceiling", "at 60 % of it"


@dataclass(frozen=True)
class Options:
    """events: to find the ceiling with. seconds: of the open loop."""

    events: int = 6000
    seconds: float = 20.0
    crash: bool = True


@dataclass(frozen=True)
class Offered:
    """What came back from one load. rate: acknowledged a second."""

    events: int
    rate: float
    acks_ms: dict[str, float]
    refused: int
    cpu_s_per_1000: float

    def figures(self) -> dict[str, Any]:
        acks = {name: round(value, 1) for name, value in self.acks_ms.items()}
        return {"events": self.events, "acknowledged_per_s": round(self.rate, 1), "acknowledgement_ms": acks, "answered_429": self.refused, "cpu_s_per_1000": round(self.cpu_s_per_1000, 3)}  # fmt: skip


def run(options: Options, *, output: Path | None) -> list[Ratio]:
    """Measure, print, and write `output`. Raises BenchError."""
    with _playing() as (stage, described):
        with starting.meshline(stage, settings={}, without=("worker", "beat")) as running:
            loads = _measure(running, stage, options)
            sessions = durability.ask_sessions(running, stage)
            survived = durability.crash_and_count(running, stage) if options.crash else None
        imported = _import(stage)
    found = _ratios(loads, sessions, survived)
    figures: dict[str, Any] = {
        "door": {name: offered.figures() for name, offered in loads.items()}, "sessions": sessions, "crashes": survived, "file_import": imported,
    }  # fmt: skip
    _print(described, loads, imported, sessions, survived, found)
    if output is not None:
        results.write(output, machine=described, ratios=found, figures=figures)
    return found


@contextmanager
def _playing() -> Iterator[tuple[Stage, dict[str, Any]]]:
    with servers.own() as cluster, tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        described = machine.describe(cluster.database_url)
        servers.make_template(cluster)
        with at(0, cluster=cluster, folder=Path(folder)) as stage:
            yield stage, described


def _measure(running: Running, stage: Stage, options: Options) -> dict[str, Offered]:
    """Workers are off: the whole machine is the door's, as it is when the workers run elsewhere."""
    _offer(running, stage, "warm", count=500)
    ceiling = _offer(running, stage, "ceiling", count=options.events)
    say(f"ceiling: {ceiling.rate:,.0f} a second; now {SHARE:.0%} of it for {options.seconds:.0f} s")
    rate = ceiling.rate * SHARE
    below = _offer(running, stage, "below", count=int(rate * options.seconds), rate=rate)
    return {CLOSED: ceiling, OPEN: below}


def _offer(running: Running, stage: Stage, prefix: str, *, count: int, rate: float | None = None) -> Offered:
    pids = {**running.parts, **stage.cluster.pids()}
    before = read(pids)
    seen = stage.send(url=f"{running.url}/ingest/crm/", prefix=prefix, count=count, rate=rate)
    if len(seen["latencies_s"]) != count:
        raise BenchError(f"The door acknowledged {len(seen['latencies_s'])} of {count} events: {seen['statuses']}. {running.last_words()}")  # fmt: skip
    used = sum(usage.cpu_s for usage in between(before, read(pids)).values())
    seconds = seen["ended_at"] - seen["began_at"]
    return Offered(count, count / seconds, contest.percentiles(seen), seen["refused"], used / count * 1000)


def _import(stage: Stage) -> dict[str, Any]:
    """A file through the same door: rows a second."""
    with (
        stage.cluster.database("file", template=servers.TEMPLATE) as url,
        Child("bench.contenders.importer", str(ROWS_AN_IMPORT), environment=stage.environment(url), log=stage.folder / "import.log") as child,
    ):  # fmt: skip
        told = child.read()
    return {**told, "rows_per_s": round(told["rows"] / told["seconds"], 1)}


def _ratios(loads: dict[str, Offered], sessions: dict[str, Any], survived: dict[str, Any] | None) -> list[Ratio]:
    most = Sense.AT_MOST
    found = [
        figure("acknowledgement p99 at 60 % of the door's ceiling (ms)", loads[OPEN].acks_ms["p99"], goal=50, sense=most),
        figure("acknowledging transactions with fsync and synchronous_commit on / all", sessions["share_safe"], goal=1.0),
    ]  # fmt: skip
    if survived is not None:
        found.append(
            Ratio(
                "acknowledged events lost when PostgreSQL is killed", survived["lost"], 0, most, survived["lost"] == 0
            )
        )
    return found


def _print(described: dict[str, Any], loads: dict[str, Offered], imported: dict[str, Any], sessions: dict[str, Any], survived: dict[str, Any] | None, found: list[Ratio]) -> None:  # fmt: skip
    heading = ("door, workers off", "events", "acks/s", "p50 ms", "p95", "p99", "429", "CPU-s/1,000")
    rows = [
        (name, f"{load.events:,}", f"{load.rate:,.0f}", *(f"{load.acks_ms[at]:.1f}" for at in ("p50", "p95", "p99")), str(load.refused), f"{load.cpu_s_per_1000:.2f}")
        for name, load in loads.items()
    ]  # fmt: skip
    print(results.table([heading, *rows]))
    print(
        f"File import: {imported['rows_per_s']:,.0f} rows/s. Acknowledging transactions asked: {sessions}. Killed: {survived}."
    )
    print(f"Load before the run: {described['load_before']} on {described['cpus']} processors.\n")
    for each in found:
        print(results.sentence(each))
