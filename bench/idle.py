"""What the whole product costs when there is nothing to do: processor time of every process, with nobody asking, and with probes and a scraper."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import cluster as servers
from bench import machine, metering, results
from bench.contenders import starting
from bench.results import Ratio, Sense, figure
from bench.stage import Running, Stage, at, say

SETTLE_S = 75.0  # after the warm-up: vacuum and statistics of what it wrote (once a minute) are work, not idling
PROBES = {"/healthz": 10.0, "/readyz": 10.0, "/metrics": 15.0}  # path: every so many seconds, as operators set them
LONGEST_NAME = 110


@dataclass(frozen=True)
class Options:
    seconds: float = 40.0
    settle_s: float = SETTLE_S


@dataclass(frozen=True)
class Idled:
    """share: of one core, 0 to 100, by process."""

    seconds: float
    share: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.share.values())

    def figures(self) -> dict[str, Any]:
        return {"seconds": round(self.seconds, 1), "percent_of_a_core": round(self.total, 3), "by_process": {name: round(share, 3) for name, share in self.share.items()}}  # fmt: skip


def run(options: Options, *, output: Path | None) -> list[Ratio]:
    """Measure, print, and write `output`. Raises BenchError."""
    with servers.own() as cluster, tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        described = machine.describe(cluster.database_url)
        servers.make_template(cluster)
        with at(0, cluster=cluster, folder=Path(folder)) as stage, starting.meshline(stage, settings={}) as running:
            say(
                f"settling for {options.settle_s:.0f} s, then {options.seconds:.0f} s with nobody asking, and as many with probes"
            )
            time.sleep(options.settle_s)
            quiet = watch(running, stage, options.seconds, ask=lambda path: None)
            probed = watch(running, stage, options.seconds, ask=lambda path: _get(f"{running.url}{path}"))
    found = [figure("idle: percent of one core, all processes", quiet.total, goal=1.0, sense=Sense.AT_MOST)]
    _print({"nobody asks": quiet, "probes and a scraper": probed}, described)
    print(results.sentence(found[0]))
    if output is not None:
        results.write(output, machine=described, ratios=found, figures={"nobody_asks": quiet.figures(), "with_probes": probed.figures()})  # fmt: skip
    return found


def watch(running: Running, stage: Stage, seconds: float, *, ask: Callable[[str], None]) -> Idled:
    pids = {**running.parts, **stage.cluster.pids()}
    before, began = _by_process(pids), time.monotonic()
    due = dict.fromkeys(PROBES, began)
    while (now := time.monotonic()) < began + seconds:
        for path, every_s in PROBES.items():
            if now >= due[path]:
                due[path] += every_s
                ask(path)
        time.sleep(0.2)
    took = time.monotonic() - began
    after = _by_process(pids)
    share = {name: (cpu_s - before.get(name, 0.0)) / took * 100 for name, cpu_s in after.items()}
    return Idled(took, dict(sorted(share.items(), key=lambda pair: -pair[1])))


def _by_process(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds so far, by a name that people recognise; what an ended child took stays with its parent."""
    found: dict[str, float] = {}
    for part, pid in pids.items():
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found[f"{part} {process.pid}: {_name(process)}"] = metering.of_process(process).cpu_s
    return found


def _name(process: psutil.Process) -> str:
    words = [word for word in process.cmdline() if word and "/" not in word]
    return " ".join(words)[:LONGEST_NAME] or process.name()


def _get(url: str) -> None:
    httpx.get(url, timeout=10, trust_env=False)


def _print(watched: Mapping[str, Idled], described: dict[str, Any]) -> None:
    for title, idled in watched.items():
        print(f"\n{title}: {idled.total:.2f} % of one core over {idled.seconds:.0f} s")
        for name, share in idled.share.items():
            print(f"  {share:6.3f} %  {name}")
    print(f"Load before the run: {described['load_before']} on {described['cpus']} processors.\n")
