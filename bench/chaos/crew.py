"""The processes of a fault run, the product's own: Celery workers and beat. Started, killed, replaced. A worker is worth killing only once it works."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from bench.databases import ROOT
from bench.processes import Child

LEAST_LIFE_S = 0.5
WRONG_MOST_S = 26 * 3600.0


class Worker(Child):
    """One Celery worker with the process that carries; `worked_s` since it said that it is ready."""

    def __init__(self, pool: str, *, wrong_by_s: float, environment: dict[str, str], log: Path) -> None:
        super().__init__("bench.chaos.worker", pool, str(wrong_by_s), environment=environment, log=log)
        self.pool = pool
        self._ready_at: float | None = None

    @property
    def worked_s(self) -> float:
        if self._ready_at is None and select.select([self.process.stdout], [], [], 0)[0]:
            self._ready_at = time.monotonic()
        return 0.0 if self._ready_at is None else time.monotonic() - self._ready_at

    def kill(self) -> None:
        """kill -9 of the worker and of the process that carries for it, at the same moment."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.stop()

    def kill_carrier(self) -> None:
        """kill -9 of the process that carries; the worker makes another."""
        for child in psutil.Process(self.process.pid).children():
            child.kill()


class Crew:
    """A constant number of workers, the last of which carries in its own process, and one beat."""

    def __init__(self, size: int, *, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._log, self._schedule = environment, folder / "workers.log", folder / "beat-schedule"
        self._pools = ["prefork"] * (size - 1) + ["solo"]
        self._workers = [self._start(pool) for pool in self._pools]
        self._beat = self._start_beat()
        self.ended_by_themselves: list[int] = []

    def kill_one(self, draw: random.Random, *, carrier_only: bool = False) -> bool:
        """kill -9 one that works, or only its carrier, and see that there is another. False while none does."""
        working = [place for place, worker in enumerate(self._workers) if worker.worked_s > LEAST_LIFE_S]
        if not working:
            return False
        place = draw.choice(working)
        if carrier_only and self._workers[place].pool == "prefork":
            self._workers[place].kill_carrier()
            return True
        self._workers[place].kill()
        self._workers[place] = self._start(self._pools[place])
        return True

    def jump(self, draw: random.Random) -> bool:
        """The clock of one that works jumps, up to a day and two hours, forwards or back."""
        one = self._workers[-1]
        if one.worked_s < LEAST_LIFE_S:
            return False
        one.tell(f'{{"clock_wrong_by_s": {draw.uniform(-WRONG_MOST_S, WRONG_MOST_S):.1f}}}')
        return True

    def start_wrong(self, draw: random.Random) -> bool:
        """One is replaced by one whose clock is wrong from its start."""
        place = draw.randrange(len(self._workers))
        self._workers[place].kill()
        wrong_by_s = draw.uniform(-WRONG_MOST_S, WRONG_MOST_S)
        self._workers[place] = self._start(self._pools[place], wrong_by_s=wrong_by_s)
        return True

    def kill_beat(self) -> bool:
        self._beat.kill()
        self._beat.wait()
        self._beat = self._start_beat()
        return True

    def replace_dead(self) -> None:
        """A worker that ends by itself is a finding, not an accident to hide: it is counted, and replaced. Beat is anybody's supervisor's."""
        for place, worker in enumerate(self._workers):
            code = worker.process.poll()
            if code is not None:
                self.ended_by_themselves.append(code)
                worker.stop()
                self._workers[place] = self._start(self._pools[place])
        if self._beat.poll() is not None:
            self._beat = self._start_beat()

    def stop(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._beat.kill()
        self._beat.wait()

    def _start(self, pool: str, *, wrong_by_s: float = 0.0) -> Worker:
        return Worker(pool, wrong_by_s=wrong_by_s, environment=self._environment, log=self._log)

    def _start_beat(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "--app=meshline.celery:app", "beat", "--pidfile=", f"--schedule={self._schedule}", "--loglevel=ERROR"]  # fmt: skip
        with self._log.open("ab") as stream:
            return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=stream, stderr=stream)
