"""The workers of a fault run: started, killed, replaced. A worker is worth killing only once it works."""

from __future__ import annotations

import random
import select
import time
from pathlib import Path

from bench.processes import Child

LEAST_LIFE_S = 0.5


class Worker(Child):
    """One worker; `worked_s` since it said that it is ready."""

    def __init__(self, *, environment: dict[str, str], log: Path) -> None:
        super().__init__("bench.chaos.worker", environment=environment, log=log)
        self._ready_at: float | None = None

    @property
    def worked_s(self) -> float:
        if self._ready_at is None and select.select([self.process.stdout], [], [], 0)[0]:
            self._ready_at = time.monotonic()
        return 0.0 if self._ready_at is None else time.monotonic() - self._ready_at


class Crew:
    """A constant number of workers."""

    def __init__(self, size: int, *, environment: dict[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self._workers = [self._start() for _ in range(size)]
        self.kills = 0
        self.ended_by_themselves: list[int] = []

    def kill_one(self, draw: random.Random) -> bool:
        """kill -9 one that works, and replace it. False while none does."""
        working = [place for place, worker in enumerate(self._workers) if worker.worked_s > LEAST_LIFE_S]
        if not working:
            return False
        place = draw.choice(working)
        self._workers[place].kill()
        self._workers[place] = self._start()
        self.kills += 1
        return True

    def replace_dead(self) -> None:
        """A worker that ends by itself is a finding, not an accident to hide: it is counted, and replaced."""
        for place, worker in enumerate(self._workers):
            code = worker.process.poll()
            if code is not None:
                self.ended_by_themselves.append(code)
                worker.stop()
                self._workers[place] = self._start()

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def _start(self) -> Worker:
        return Worker(environment=self._environment, log=self._log)
