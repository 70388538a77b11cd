"""One Meshline worker: carries what the door accepted until nothing is due, with full lineage, policies and the write protocol."""

from __future__ import annotations

import sys

from bench import contest, deals
from bench.contenders import door, product


def carry() -> int:
    """All that is due. Returns the runs carried."""
    from syncflows.engine import batch

    done = 0
    while claimed := batch.work():
        done += claimed
    return done


def main() -> None:
    prefix = sys.argv[1]
    product.set_up()
    product.define("speed", "deals")

    def warm() -> None:
        door.accept(f"w{prefix}-worker", deals.WARM_UP, batch=deals.WARM_UP)
        carry()

    contest.serve(warm, carry)


if __name__ == "__main__":
    main()
