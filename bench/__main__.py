"""`python -m bench`: the benchmarks. Exit 0 whether or not a goal holds, 1 when a figure could not be had."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import databases, engine
from bench.errors import BenchError

RESULTS = Path(__file__).resolve().parent / "results"
QUIET = {"MESHLINE_LOG_LEVEL": "WARNING"}


def main() -> int:
    options = _options()
    try:
        with databases.temporary(settings=QUIET) as environment:
            ratios = engine.run(
                engine.Options({0: options.events, 20: options.events_20ms}, options.rows),
                environment=environment,
                output=options.results / "engine.json",
            )
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    missed = sum(not found.holds for found in ratios)
    print(
        f"\n{missed} of {len(ratios)} goals do not hold." if missed else "\nEvery goal holds.",
        f"Written: {options.results / 'engine.json'}",
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--events", type=_count, default=2000, help="for each contender, ERP without latency")
    parser.add_argument("--events-20ms", type=_count, default=1000, help="for each contender, ERP with 20 ms latency")
    parser.add_argument("--rows", type=_count, default=5000, help="of the imported file")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of engine.json")
    return parser.parse_args()


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return count


if __name__ == "__main__":
    sys.exit(main())
