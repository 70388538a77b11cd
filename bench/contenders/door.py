"""Meshline's door: events accepted `batch` at a time, each batch one committed transaction with its runs and lineage."""

from __future__ import annotations

import sys

from bench import contest, deals
from bench.contenders import product


def accept(prefix: str, count: int, *, batch: int) -> int:
    from syncflows.engine import ingest
    from syncflows.engine.arrivals import Arrival
    from syncflows.governance import catalog

    arrivals = [
        Arrival(
            source="crm",
            type="deal.changed",
            payload=deals.payload(reference, number),
            source_event_id=f"evt-{reference}",
            origin="bench",
        )
        for number, reference in enumerate(deals.references(prefix, count))
    ]
    for start in range(0, count, batch):
        ingest.accept(arrivals[start : start + batch], catalog=catalog.current())
    return count


def main() -> None:
    prefix, count, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    product.set_up()
    product.define("speed", "deals")
    contest.serve(lambda: accept(f"w{prefix}", deals.WARM_UP, batch=batch), lambda: accept(prefix, count, batch=batch))


if __name__ == "__main__":
    main()
