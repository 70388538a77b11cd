"""Whether a worker's memory stays flat: one real Celery worker carries very many events, and its resident set is read all the while."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from bench import cluster as servers
from bench import machine, results
from bench.contenders import starting
from bench.errors import BenchError
from bench.processes import Child
from bench.results import Ratio, Sense, ratio
from bench.stage import Running, Stage, at, say
from meshline.demo.plan import Part

PREFIX = "memory"
AHEAD = 4000  # events accepted and not carried yet: enough to keep it busy
READ_EVERY_S = 0.5
TENTHS = 10
PATIENCE_S = 90
MOST_GROWTH = 1.05

Sample = tuple[int, int]  # events carried, bytes resident


def run(events: int, *, output: Path | None) -> list[Ratio]:
    """Measure, print, and write `output`. Raises BenchError."""
    with servers.own() as cluster, tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        described = machine.describe(cluster.database_url)
        servers.make_template(cluster)
        with (
            at(0, cluster=cluster, folder=Path(folder)) as stage,
            starting.meshline(stage, settings={}, without=("web",), alter=_one_process) as running,
            Child("bench.contenders.filler", environment=stage.environment(running.database_url), log=stage.folder / "filler.log") as filler,
        ):  # fmt: skip
            samples = _carry(running, stage, filler, events)
    means = tenths(samples, events)
    found = [
        ratio(
            "memory of a worker, last tenth / second tenth", means[-1], means[1], goal=MOST_GROWTH, sense=Sense.AT_MOST
        )
    ]
    print(f"{events:,} events; resident MB by tenth: {', '.join(f'{mean / 1e6:.1f}' for mean in means)}")
    print(results.sentence(found[0]))
    if output is not None:
        shown: dict[str, Any] = {"events": events, "resident_mb_by_tenth": [round(mean / 1e6, 2) for mean in means]}
        results.write(output, machine=described, ratios=found, figures=shown)
    return found


def tenths(samples: list[Sample], events: int) -> list[float]:
    """The mean resident set of each tenth of the events. Raises BenchError where a tenth went by unread."""
    by_tenth: list[list[int]] = [[] for _ in range(TENTHS)]
    for done, resident in samples:
        by_tenth[min(done * TENTHS // events, TENTHS - 1)].append(resident)
    if not all(by_tenth):
        raise BenchError("A tenth of the events went by faster than memory is read: give more events.")
    return [statistics.fmean(found) for found in by_tenth]


def _one_process(part: Part) -> Part:
    words = ("--concurrency=1" if word.startswith("--concurrency") else word for word in part.argv)
    return replace(part, argv=tuple(words))


def _carry(running: Running, stage: Stage, filler: Child, events: int) -> list[Sample]:
    """Keeps the worker busy to the end; a sample each half second."""
    samples: list[Sample] = []
    accepted, done, moved_at, told = 0, 0, time.monotonic(), 0
    while done < events:
        if accepted < min(done + AHEAD, events):
            accepted += filler.ask({"prefix": PREFIX, "first": accepted, "count": min(1000, events - accepted)})[
                "accepted"
            ]
        was, done = done, stage.books(PREFIX)["orders"]
        samples.append((done, _resident(running.parts["worker"])))
        if done * TENTHS // events > told:
            told = done * TENTHS // events
            say(f"  {done:,} events, {samples[-1][1] / 1e6:.1f} MB")
        moved_at = time.monotonic() if done > was else moved_at
        if time.monotonic() - moved_at > PATIENCE_S:
            raise BenchError(f"The worker carried {done} of {events} events and does not go on. {running.last_words()}")
        time.sleep(READ_EVERY_S)
    return samples


def _resident(pid: int) -> int:
    """Of the worker with its child, which carries the events."""
    root = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (root, *root.children(recursive=True)))
