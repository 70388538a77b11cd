"""`python -m bench.chaos [--events N] [--seed N] [--touches N] [--workers N]`: exit 1 on any loss, duplicate, disorder or lineage gap.

Progress on standard error; the last line of standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path

from bench import databases
from bench.contenders import product
from bench.errors import BenchError

# A dead worker's lease ends soon, so that its runs are met by the others while the storm blows.
SETTINGS = {"MESHLINE_LEASE_S": "3", "MESHLINE_LOG_LEVEL": "ERROR"}
BROKEN, UNUSABLE = 1, 2


def main() -> int:
    options = _options()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    try:
        with (
            databases.temporary(settings=SETTINGS) as environment,
            tempfile.TemporaryDirectory(prefix="meshline-chaos-") as folder,
        ):
            result = _run(options, seed, environment, Path(folder))
    except BenchError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return UNUSABLE
    print(json.dumps(result))
    return BROKEN if any(result[name] for name in ("lost", "duplicated", "out_of_order", "unexplained")) else 0


def _run(options: argparse.Namespace, seed: int, environment: dict[str, str], folder: Path) -> dict[str, object]:
    os.environ.update(environment)
    product.set_up()
    from bench.chaos import course

    return course.run(
        course.Plan(events=options.events, touches=options.touches, workers=options.workers, seed=seed, deadline_s=options.deadline_s),
        environment=environment, folder=folder,
    )  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5000, help="default 5000; 20000 and more for a night")
    parser.add_argument(
        "--seed",
        type=int,
        help="what is drawn again: events, faults, kills; not the moment a kill meets (default: a new one, printed)",
    )
    parser.add_argument("--touches", type=int, default=2, help="events to a deal, on average (1: each deal once)")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--deadline-s", type=float, default=540, help="what is not at rest by then is lost")
    options = parser.parse_args()
    if min(options.events, options.touches, options.workers, options.deadline_s) < 1:
        parser.error("every number must be 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
