"""Accepts events in batches, in a process of its own, as fast as it is told to: for runs where the door is not what is measured.

Reads jobs as lines of JSON ({prefix, first, count}), answers each when it is committed.
"""

from __future__ import annotations

import json
import sys

from bench import deals
from bench.contenders import product

BATCH = 200


def accept(prefix: str, first: int, count: int) -> int:
    from syncflows.engine import ingest
    from syncflows.engine.arrivals import Arrival
    from syncflows.governance import catalog

    arrivals = [
        Arrival(
            source="crm", type="deal.changed", payload=deals.payload(f"{prefix}-{number}", number),
            source_event_id=f"evt-{prefix}-{number}", origin="bench",
        )
        for number in range(first, first + count)
    ]  # fmt: skip
    for start in range(0, count, BATCH):
        ingest.accept(arrivals[start : start + BATCH], catalog=catalog.current())
    return count


def main() -> None:
    product.set_up()
    for line in sys.stdin:
        print(json.dumps({"accepted": accept(**json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
