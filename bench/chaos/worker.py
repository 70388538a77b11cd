"""A worker of the fault run: sweeps and carries, as Celery's worker and beat do, until its standard input ends."""

from __future__ import annotations

import json
import sys
import threading
import time

from bench.contenders import product

IDLE_S = 0.05
SWEEP_EVERY_S = 1.0


def main() -> None:
    product.set_up()
    from syncflows.engine import batch, sweeping

    ended = threading.Event()
    threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    swept = 0.0
    while not ended.is_set():
        if time.monotonic() - swept > SWEEP_EVERY_S:
            sweeping.sweep()
            swept = time.monotonic()
        if not batch.work():
            ended.wait(IDLE_S)


def _end_with_input(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
