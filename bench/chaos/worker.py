"""A Celery worker of the fault run, by the product's own application; its clock may be wrong, and may jump. Ends when its standard input does.

Says `{"ready": true}` once it takes tasks. Reads lines `{"clock_wrong_by_s": N}`: from then on its clock is wrong by so much (only in a process that
carries by itself: pool solo).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta

import time_machine
from celery.signals import worker_ready

from meshline.celery import app

QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR")


class Clock:
    """This process's clock, for everything in it."""

    def __init__(self) -> None:
        self._travel: time_machine.travel | None = None

    def be_wrong_by(self, seconds: float) -> None:
        if self._travel is not None:
            self._travel.stop()
        self._travel = time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True)
        self._travel.start()


def main() -> None:
    pool, wrong_by_s = sys.argv[1], float(sys.argv[2])
    clock = Clock()
    if wrong_by_s:
        clock.be_wrong_by(wrong_by_s)
    worker_ready.connect(_say_ready, weak=False)
    threading.Thread(target=_listen, args=(clock,), daemon=True).start()
    app.worker_main(["worker", f"--pool={pool}", "--concurrency=1", f"--hostname=chaos-{os.getpid()}@%h", *QUIET])


def _say_ready(**_: object) -> None:
    print(json.dumps({"ready": True}), flush=True)


def _listen(clock: Clock) -> None:
    """By the file's number: a thread that waits in `sys.stdin` holds its lock, and a process forked meanwhile could not even close it."""
    rest = b""
    while chunk := os.read(0, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            clock.be_wrong_by(float(json.loads(line)["clock_wrong_by_s"]))
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
