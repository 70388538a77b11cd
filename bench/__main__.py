"""`python -m bench [engine|ingest|idle|memory|growth|all]`: the benchmarks. Exit 0 whether or not a goal holds, 1 when a figure could not be had."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from bench import engine, growth, idle, ingest, memory
from bench.errors import BenchError
from bench.results import Ratio

RESULTS = Path(__file__).resolve().parent / "results"
QUICK_EVENTS = 1000


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    try:
        ratios = [found for run in RUNS[options.what] for found in run(options)]
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    missed = sum(not found.holds for found in ratios)
    print(f"\n{missed} of {len(ratios)} goals do not hold." if missed else "\nEvery goal holds.")
    return 0


def _engine(options: argparse.Namespace) -> list[Ratio]:
    events = {0: options.events, 20: options.events_20ms, 100: options.events_100ms}
    rounds = options.rounds
    if options.quick:
        events, rounds = {0: options.events if options.profile else min(options.events, QUICK_EVENTS)}, 1
    only = tuple(options.only) if options.only else engine.Options.only
    if options.profile:
        only, rounds = ("meshline",), 1
    return engine.run(
        engine.Options(
            events,
            rounds,
            only,
            options.results / "profile.json" if options.profile else None,
            trial=not (options.quick or options.no_trials),
        ),
        output=options.results / ("quick.json" if options.quick else "engine.json"),
    )


def _ingest(options: argparse.Namespace) -> list[Ratio]:
    wanted = ingest.Options(events=options.events, seconds=options.seconds or ingest.Options.seconds)
    return ingest.run(wanted, output=options.results / "ingest.json")


def _idle(options: argparse.Namespace) -> list[Ratio]:
    return idle.run(idle.Options(seconds=options.seconds or idle.Options.seconds), output=options.results / "idle.json")


def _memory(options: argparse.Namespace) -> list[Ratio]:
    return memory.run(options.memory_events, output=options.results / "memory.json")


def _growth(options: argparse.Namespace) -> list[Ratio]:
    return growth.run(growth.Options(stored=options.stored), output=options.results / "growth.json")


RUNS = {"engine": (_engine,), "ingest": (_ingest,), "idle": (_idle,), "memory": (_memory,), "growth": (_growth,), "all": (_engine, _ingest, _idle)}  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=RUNS, default="engine", help="all: but memory and growth, which take long"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--seconds", type=_count, help="ingest: of the open loop; idle: of each watch")
    parser.add_argument("--memory-events", type=_count, default=200_000, help="memory: carried by one worker")
    parser.add_argument("--stored", type=_count, default=growth.Options.stored, help="growth: events stored beforehand")
    _add_engine(parser)
    return parser.parse_args()


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", type=_count, default=4000, help="a round, ERP without latency")
    parser.add_argument("--events-20ms", type=_count, default=3000, help="a round, ERP with 20 ms latency")
    parser.add_argument("--events-100ms", type=_count, default=2000, help="a round, ERP with 100 ms latency")
    parser.add_argument("--rounds", type=_count, default=3, help="of each contender at each latency, in turns")
    parser.add_argument("--only", action="append", choices=engine.Options.only, help="leave the others out; again for more")  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help=f"one round of {QUICK_EVENTS:,} events, 0 ms only, no trials"
    )
    parser.add_argument("--no-trials", action="store_true", help="floor and script play with what is usually best")
    parser.add_argument("--profile", action="store_true", help="Meshline under a sampling profiler; prints where the time goes")  # fmt: skip


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return count


if __name__ == "__main__":
    sys.exit(main())
