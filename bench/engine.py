"""The engine beside a script and beside the floor, against the same ERP, in one run."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import machine, results
from bench.contest import Part, Took
from bench.errors import BenchError
from bench.processes import Child
from bench.results import Ratio, Sense, ratio

BATCH = 100


@dataclass(frozen=True)
class Options:
    """How many events at each latency of the ERP (milliseconds), and how many rows of a file."""

    events: dict[int, int]
    rows: int


@dataclass(frozen=True)
class Round:
    """One latency: what each contender took. Meshline's door and worker are measured one after the other."""

    script: Took
    floor: Took
    door_single: Took
    door_batch: Took
    worker_single: Took
    worker_batch: Took

    @property
    def meshline_single(self) -> Took:
        return self.door_single.and_then(self.worker_single)

    @property
    def meshline_batch(self) -> Took:
        return self.door_batch.and_then(self.worker_batch)

    def parts(self) -> dict[str, Took]:
        return {
            "script": self.script, "floor": self.floor, "meshline": self.meshline_single, "meshline, batches": self.meshline_batch,
            "  door, one by one": self.door_single, f"  door, {BATCH} a batch": self.door_batch, "  worker": self.worker_single,
        }  # fmt: skip


def run(options: Options, *, environment: dict[str, str], output: Path) -> list[Ratio]:
    """Measure, print, and write `output`. Raises BenchError, also when the ERP did not get each order exactly once."""
    described = machine.describe(environment["DATABASE_URL"])
    with tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        log = Path(folder, "children.log")
        rounds = {latency: _round(latency, count, environment, log) for latency, count in options.events.items()}
        rows = _part(
            "importer",
            "file",
            options.rows,
            environment={**environment, "BENCH_ERP_URL": "http://127.0.0.1:9"},
            log=log,
        )
    ratios = ratios_of(rounds)
    figures: dict[str, Any] = {f"erp_{latency}_ms": _figures(found) for latency, found in rounds.items()}
    results.write(output, machine=described, ratios=ratios, figures={**figures, "ingest_file": rows.figures()})
    _print(described, rounds, rows, ratios)
    return ratios


def ratios_of(rounds: dict[int, Round]) -> list[Ratio]:
    """Meshline keeps every promise and leaves a trail; the script and the floor keep none. Goals are today's, to be raised."""
    found = []
    for latency, took in rounds.items():
        at, ours = f"ERP at {latency} ms", took.meshline_single
        goal = 1.0 if latency >= 20 else 0.25
        found.append(ratio(f"events/s, meshline / script, {at}", ours.per_second, took.script.per_second, goal=goal))
        found.append(ratio(f"events/s, meshline / floor, {at}", ours.per_second, took.floor.per_second, goal=0.15))
        found.append(
            ratio(
                f"CPU, meshline / script, {at}",
                ours.cpu_s_per_1000,
                took.script.cpu_s_per_1000,
                goal=5.0,
                sense=Sense.AT_MOST,
            )
        )
    return found


def _round(latency: int, count: int, environment: dict[str, str], log: Path) -> Round:
    _say(f"ERP at {latency} ms, {count:,} events each")
    with erp_at(latency, environment=environment, log=log) as erp:
        name = f"{latency}ms{secrets.token_hex(2)}"
        script = measure(erp, "script", f"s{name}", count, log)
        floor = measure(erp, "floor", f"f{name}", count, log)
        single = measure_meshline(erp, f"m{name}", count, 1, log)
        batch = measure_meshline(erp, f"b{name}", count, BATCH, log)
    return Round(script, floor, single[0], batch[0], single[1], batch[1])


@contextmanager
def erp_at(latency: int, *, environment: dict[str, str], log: Path) -> Iterator[dict[str, str]]:
    """The environment of contenders, with an ERP of that latency (milliseconds) behind BENCH_ERP_URL."""
    with Child("bench.erp_stub", "--latency-ms", str(latency), environment=environment, log=log) as stub:
        yield {**environment, "BENCH_ERP_URL": stub.read()["url"]}


def measure(erp: dict[str, str], module: str, prefix: str, count: int, log: Path) -> Took:
    """A contender that is one process. Raises BenchError when the ERP did not get each order once."""
    took = _part(module, prefix, count, environment=erp, log=log)
    _check_books(erp, module, prefix, count)
    return took


def measure_meshline(erp: dict[str, str], prefix: str, count: int, batch: int, log: Path) -> tuple[Took, Took]:
    """The door, then one worker that was warm before. Both start at the same time, and work one after the other."""
    started = Part("bench.contenders.worker", prefix, environment=erp, log=log)
    with (
        Part("bench.contenders.door", prefix, str(count), str(batch), environment=erp, log=log) as door,
        started as worker,
    ):
        accepted = door.run()
        carried = worker.run()
    _check_books(erp, "meshline", prefix, count)
    return accepted, carried


def _part(module: str, prefix: str, count: int, *more: str, environment: dict[str, str], log: Path) -> Took:
    with Part(f"bench.contenders.{module}", prefix, str(count), *more, environment=environment, log=log) as part:
        return part.run()


def _check_books(erp: dict[str, str], who: str, prefix: str, count: int) -> None:
    """A figure of work that was not done is no figure."""
    books = httpx.get(f"{erp['BENCH_ERP_URL']}/count", params={"prefix": f"{prefix}-"}, trust_env=False).json()
    if books != {"orders": count, "duplicates": 0}:
        raise BenchError(
            f"{who}: the ERP has {books['orders']} orders, {books['duplicates']} of them twice, of {count} events."
        )


def _figures(found: Round) -> dict[str, Any]:
    return {name.strip(): took.figures() for name, took in found.parts().items()} | {
        "orders_at_the_erp": "one for each event"
    }


def _print(described: dict[str, Any], rounds: dict[int, Round], rows: Took, ratios: list[Ratio]) -> None:
    heading = ("", "events", "events/s", "CPU-s per 1,000", "of it PostgreSQL")
    for latency, found in rounds.items():
        print(f"\nERP at {latency} ms")
        print(results.table([heading, *(_row(name, took) for name, took in found.parts().items())]))
    print(f"\nFile import: {rows.per_second:,.0f} rows/s, {rows.cpu_s_per_1000:.2f} CPU-s per 1,000")
    print(
        f"Load before the run: {described['load_before']} on {described['cpus']} processors. On a shared machine only the ratios say something.\n"
    )
    for found_ratio in ratios:
        print(results.sentence(found_ratio))


def _row(name: str, took: Took) -> tuple[str, ...]:
    postgres = "" if took.postgres_cpu_s is None else f"{took.postgres_cpu_s / took.events * 1000:.2f}"
    return (name, f"{took.events:,}", f"{took.per_second:,.0f}", f"{took.cpu_s_per_1000:.2f}", postgres)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
