"""The product beside a script and beside the floor, end to end: signed webhooks in, orders in the ERP, everything recorded; in one run, in turns."""

from __future__ import annotations

import secrets
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import cluster as servers
from bench import contest, engine_report, machine, profile
from bench.cluster import Cluster
from bench.contenders import starting
from bench.contest import Took
from bench.results import Ratio, Sense, figure, ratio
from bench.stage import Running, Stage, at, say

TRIAL_EVENTS = 400
# At once, towards the ERP: what is tried for each latency (ms) of it. The best of the trial plays; without a trial, the first.
FLOOR_THREADS = {0: (16, 8, 32), 20: (32, 16, 64), 100: (128, 64)}
SCRIPT_PROCESSES = {0: (8, 2, 4), 20: (16, 8, 32), 100: (64, 32)}
# The product's setting for the same question, as its operator would set it (docs/settings.md): calls at once in a worker process.
WRITE_THREADS = {0: 8, 20: 32, 100: 64}

Start = Callable[[Stage], AbstractContextManager[Running]]


@dataclass(frozen=True)
class Options:
    """How many events at each latency of the ERP (milliseconds), in how many rounds, by whom."""

    events: dict[int, int]
    rounds: int = 3
    only: tuple[str, ...] = ("floor", "script", "script, tuned", "meshline")
    profile: Path | None = None  # where its result goes
    trial: bool = True


@dataclass(frozen=True)
class Contender:
    """Its rounds at one latency, and how it was set up."""

    described: str
    rounds: list[Took]

    def median(self, of: Callable[[Took], float]) -> float:
        return statistics.median(of(took) for took in self.rounds)

    def spread(self, of: Callable[[Took], float]) -> tuple[float, float]:
        found = [of(took) for took in self.rounds]
        return min(found), max(found)


Contest = dict[str, Contender]


def run(options: Options, *, output: Path) -> list[Ratio]:
    """Measure, print, and write `output` (not where only some contenders played). Raises BenchError."""
    with servers.own() as cluster, tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        described = machine.describe(cluster.database_url)
        servers.make_template(cluster)
        contests = {
            latency: _contest(latency, count, options, cluster, Path(folder))
            for latency, count in options.events.items()
        }
    ratios = [found for latency, contest_ in contests.items() for found in ratios_of(latency, contest_)]
    engine_report.publish(
        described, contests, ratios, output=None if options.profile or len(options.only) < len(Options.only) else output
    )
    return ratios


def ratios_of(latency: int, played: Contest) -> list[Ratio]:
    """What is aimed at. Meshline keeps every promise and leaves a trail; the script and the floor keep none."""
    ours = played.get("meshline")
    if ours is None:
        return []
    where, speed = f"ERP at {latency} ms", ours.median(lambda took: took.per_second)
    found = [figure(f"events/s, meshline, {where}", speed, goal=400)] if latency == 0 else []
    for name, goal in (("floor", 0.5), ("script", 2.0)):
        if other := played.get(name):
            theirs = other.median(lambda took: took.per_second)
            found.append(ratio(f"events/s, meshline / {name}, {where}", speed, theirs, goal=goal))
    most = Sense.AT_MOST
    cpu_s, kb = ours.median(lambda took: took.cpu_s_per_1000), ours.median(lambda took: took.kb_an_event)
    found.append(figure(f"CPU-seconds per 1,000 events, meshline, {where}", cpu_s, goal=4.5, sense=most))
    found.append(figure(f"kB written an event, meshline, {where}", kb, goal=15, sense=most))
    ack_ms = ours.median(lambda took: took.acks_ms["p99"])
    found.append(figure(f"acknowledgement p99 at concurrency 64 (ms), meshline, {where}", ack_ms, goal=100, sense=most))
    return found


def _contest(latency: int, count: int, options: Options, cluster: Cluster, folder: Path) -> Contest:
    say(f"ERP at {latency} ms: {options.rounds} rounds of {count:,} events")
    with at(latency, cluster=cluster, folder=folder) as stage:
        chosen = {name: _choose(name, stage, trial=options.trial) for name in options.only}
        played: dict[str, list[Took]] = {name: [] for name in chosen}
        described = dict.fromkeys(chosen, "")
        for _ in range(options.rounds):
            for name, start in chosen.items():
                described[name], took = _play(
                    start, stage, count, profiled=options.profile if name == "meshline" else None
                )
                played[name].append(took)
    return {name: Contender(described[name], rounds) for name, rounds in played.items()}


def _play(start: Start, stage: Stage, count: int, *, profiled: Path | None = None) -> tuple[str, Took]:
    prefix = f"r{secrets.token_hex(3)}"
    with (
        start(stage) as running,
        profile.sampling(running.parts if profiled else {}, folder=stage.folder, output=profiled),
    ):
        took = contest.measure(running, stage, prefix, count)
    say(
        f"  {running.name:<13} {took.per_second:7,.0f} events/s  {took.cpu_s_per_1000:6.2f} CPU-s per 1,000  ({running.described})"
    )
    return running.described, took


def _choose(name: str, stage: Stage, *, trial: bool) -> Start:
    """Each at its best for this latency, found by trial."""
    if name == "meshline":
        return partial(
            starting.meshline, settings={"MESHLINE_WRITE_THREADS": str(WRITE_THREADS.get(stage.latency_ms, 64))}
        )
    starts: list[Start] = [partial(starting.floor, threads=many) for many in FLOOR_THREADS.get(stage.latency_ms, (64,))]
    if name.startswith("script"):
        tuned = name != "script"
        starts = [
            partial(starting.script, concurrency=many, tuned=tuned)
            for many in SCRIPT_PROCESSES.get(stage.latency_ms, (32,))
        ]
    if not trial:
        return starts[0]
    trials = [_play(start, stage, TRIAL_EVENTS)[1].per_second for start in starts]
    return starts[trials.index(max(trials))]


def figures_of(played: Contest) -> dict[str, Any]:
    """For the file: the median round by speed in full, and the spread over the rounds."""
    return {name: _figures(contender) for name, contender in played.items()}


def _figures(contender: Contender) -> dict[str, Any]:
    by_speed = sorted(contender.rounds, key=lambda took: took.per_second)
    spread = {
        "events_per_s": contender.spread(lambda took: took.per_second),
        "cpu_s_per_1000": contender.spread(lambda took: took.cpu_s_per_1000),
        "kb_written_an_event": contender.spread(lambda took: took.kb_an_event),
    }
    shown = {name: [round(low, 2), round(high, 2)] for name, (low, high) in spread.items()}
    median = by_speed[(len(by_speed) - 1) // 2].figures()
    return {"set_up": contender.described, "rounds": len(by_speed), "median_round": median, "spread": shown}
