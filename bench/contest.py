"""One measured part: the child says that it is warm, is told to go, does its work, and says what it took; both sides of that talk.

The child measures itself, so that neither its start nor its imports count. Backends of PostgreSQL are measured from outside while they still live.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg

from bench.databases import named
from bench.processes import Child

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"


@dataclass(frozen=True)
class Took:
    """What a part took: wall clock, processor time of its process, and of its PostgreSQL backends (None where they run elsewhere)."""

    events: int
    seconds: float
    cpu_s: float
    postgres_cpu_s: float | None = None

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_s_per_1000(self) -> float:
        return (self.cpu_s + (self.postgres_cpu_s or 0)) / self.events * 1000

    def and_then(self, other: Took) -> Took:
        """The same events through a second part, one after the other."""
        known = self.postgres_cpu_s is not None and other.postgres_cpu_s is not None
        postgres = (self.postgres_cpu_s or 0) + (other.postgres_cpu_s or 0) if known else None
        return Took(self.events, self.seconds + other.seconds, self.cpu_s + other.cpu_s, postgres)

    def figures(self) -> dict[str, Any]:
        return {
            "events": self.events, "seconds": round(self.seconds, 3), "events_per_s": round(self.per_second, 1), "cpu_s": round(self.cpu_s, 3),
            "postgres_cpu_s": None if self.postgres_cpu_s is None else round(self.postgres_cpu_s, 3), "cpu_s_per_1000": round(self.cpu_s_per_1000, 3),
        }  # fmt: skip


class Part(Child):
    """One contender's process, warm once the block begins."""

    def __enter__(self) -> Part:
        try:
            self.read()
        except BaseException:
            self.stop()
            raise
        return self

    def run(self) -> Took:
        """Let it work to its end, and measure. Raises BenchError."""
        before = _postgres_cpu(self.environment["DATABASE_URL"])
        self.tell("go")
        said = self.read()
        after = _postgres_cpu(self.environment["DATABASE_URL"])
        spent = None if before is None or after is None else sum(cpu - before.get(pid, 0) for pid, cpu in after.items())
        return Took(said["events"], said["seconds"], said["cpu_s"], spent)


def serve(warm: Callable[[], object], work: Callable[[], int]) -> None:
    """The child's side: `warm` is not measured, `work` is, and returns the events it did."""
    warm()
    _say({"ready": True})
    sys.stdin.readline()
    began, cpu = time.perf_counter(), time.process_time()
    events = work()
    _say({"events": events, "seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu})
    sys.stdin.read()


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def _postgres_cpu(url: str) -> dict[int, float] | None:
    """Processor seconds of each backend of this database so far; None for a server on another machine."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    if not (host.startswith("/") or host in ("localhost", "127.0.0.1", "::1")):
        return None
    with psycopg.connect(named(url, "postgres")) as connection:
        pids = [row[0] for row in connection.execute(BACKENDS, [parts.path.lstrip("/")])]
    return {pid: sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids if psutil.pid_exists(pid)}
