"""Meshline's file import, as `manage.py ingest` does it: rows of a CSV become events, with their position committed beside them.

`python -m bench.contenders.importer ROWS` prints {"rows", "seconds"}; its own start does not count.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

from bench import deals
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
    count = int(sys.argv[1])
    product.set_up()
    with tempfile.TemporaryDirectory(prefix="meshline-bench-") as folder:
        read(write(Path(folder, "warm.csv"), "warm", deals.WARM_UP))
        rows = write(Path(folder, "rows.csv"), "rows", count)
        began = time.perf_counter()
        accepted = read(rows)
    print(json.dumps({"rows": accepted, "seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    main()
