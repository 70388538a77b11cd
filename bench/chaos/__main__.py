"""`python -m bench.chaos [--events N] [--seconds N] [--seed N] [--workers N]`: exit 1 on any loss, duplicate, disorder or lineage gap.

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

from bench import cluster
from bench.contenders import product
from bench.databases import migrate
from bench.errors import BenchError

# A dead worker's lease ends soon, so that its runs are met by the others while the storm blows.
SETTINGS = {"MESHLINE_LEASE_S": "3", "MESHLINE_LOG_LEVEL": "ERROR"}
BROKEN, UNUSABLE = 1, 2
TRAFFIC = 0.7  # of the time given; the rest is for what must come to rest


def main() -> int:
    options = _options()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    try:
        with (
            cluster.own() as servers,
            servers.database("chaos") as url,
            tempfile.TemporaryDirectory(prefix="meshline-chaos-") as folder,
        ):
            environment = {**servers.environment(database_url=url), **SETTINGS}
            migrate(environment)
            result = _run(options, seed, servers, environment, Path(folder))
    except BenchError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return UNUSABLE
    print(json.dumps(result))
    return BROKEN if any(result[name] for name in ("lost", "duplicated", "out_of_order", "unexplained")) else 0


def _run(
    options: argparse.Namespace, seed: int, servers: cluster.Cluster, environment: dict[str, str], folder: Path
) -> dict[str, object]:
    os.environ.update(environment)
    product.set_up()
    from bench.chaos import course

    return course.run(
        course.Plan(
            events=options.events, touched_again=0.8, workers=options.workers, seed=seed, fault_every=options.fault_every,
            traffic_s=options.seconds * TRAFFIC if options.seconds else float("inf"), deadline_s=options.deadline_s,
        ),
        cluster=servers, environment=environment, folder=folder,
    )  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000, help="at most (default 20000)")
    parser.add_argument("--seconds", type=int, default=0, help="about how long; no limit by default")
    parser.add_argument("--fault-every", type=int, default=200, help="events to a fault, on average (default 200)")
    parser.add_argument(
        "--seed",
        type=int,
        help="what is drawn again: events, faults, kills; not the moment a kill meets (default: a new one, printed)",
    )
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--deadline-s", type=float, default=2400, help="what is not at rest by then is lost")
    options = parser.parse_args()
    if min(options.events, options.fault_every, options.workers, options.deadline_s) < 1:
        parser.error("every number must be 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
