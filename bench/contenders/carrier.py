"""Accepts and carries events in one process, batch by batch, for runs where only the engine and its database are measured.

Reads jobs as lines of JSON ({prefix, first, count}), answers each with its seconds and those of each batch once all of it is carried.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time

from bench import deals
from bench.contenders import product

BATCH = 64


def carry(prefix: str, first: int, count: int) -> list[float]:
    """Seconds of each batch of 64: accepted, committed, carried, recorded."""
    return [_batch(prefix, start, min(BATCH, first + count - start)) for start in range(first, first + count, BATCH)]


def _batch(prefix: str, first: int, count: int) -> float:
    from syncflows.engine import batch, ingest
    from syncflows.engine.arrivals import Arrival
    from syncflows.governance import catalog

    began = time.perf_counter()
    arrivals = [
        Arrival(
            source="crm", type="deal.changed", payload=deals.payload(f"{prefix}-{number}", number), origin="bench",
            source_event_id=hashlib.md5(f"{prefix}-{number}".encode()).hexdigest(),  # anywhere in the index, as the ids of many systems are
        )
        for number in range(first, first + count)
    ]  # fmt: skip
    ingest.accept(arrivals, catalog=catalog.current())
    while batch.work(limit=BATCH):
        pass
    return time.perf_counter() - began


def main() -> None:
    product.set_up()
    for line in sys.stdin:
        print(json.dumps({"batch_s": carry(**json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
