"""Meshline's file import, as `manage.py ingest` does it: rows of a CSV become events, with their position committed beside them."""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

from bench import contest, deals
from bench.contenders import product


def write(path: Path, prefix: str, count: int) -> Path:
    """A CSV file of deals."""
    rows = [deals.payload(reference, number) for number, reference in enumerate(deals.references(prefix, count))]
    with path.open("w", newline="") as handle:
        table = csv.DictWriter(handle, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def read(path: Path) -> int:
    from syncflows.engine.files import imports

    plan = imports.plan(path, system="crm", type_="deal.changed")
    return imports.run(plan, imports.begin(plan), tell=lambda position: None).accepted


def main() -> None:
    prefix, count = sys.argv[1], int(sys.argv[2])
    product.set_up()
    product.define("speed", "deals")
    with tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        small = write(Path(folder, "warm.csv"), f"w{prefix}", deals.WARM_UP)
        large = write(Path(folder, "rows.csv"), prefix, count)
        contest.serve(lambda: read(small), lambda: read(large))


if __name__ == "__main__":
    main()
