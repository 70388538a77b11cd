"""One measured round: events are handed in, carried to the last order, and recorded; what that took, and that it was done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import metering
from bench.cluster import Cluster
from bench.contenders.starting import await_done
from bench.errors import BenchError
from bench.metering import Usage
from bench.stage import Running, Stage

PATIENCE_S = 90
OURS = ("web", "worker", "beat", "floor", "postgres", "valkey")
NOT_COUNTED = ("erp", "source")


@dataclass(frozen=True)
class Written:
    """What PostgreSQL wrote: bytes by kind, the length of its log, how often it committed and brought the log to the disk. disk: by everybody."""

    bytes: Mapping[str, int]
    log_length: int
    disk: int
    commits: int
    log_syncs: int

    @classmethod
    def read(cls, cluster: Cluster) -> Written:
        return cls(cluster.written_bytes(), cluster.written_log_bytes(), cluster.disk_bytes(), **cluster.counts())

    def __sub__(self, other: Written) -> Written:
        return Written(
            {kind: count - other.bytes[kind] for kind, count in self.bytes.items()}, self.log_length - other.log_length, self.disk - other.disk,
            self.commits - other.commits, self.log_syncs - other.log_syncs,
        )  # fmt: skip


@dataclass(frozen=True)
class Took:
    """What one contender took for one round. seconds: from the first request to the last order in the ERP; rest_s: until its own books say so too.

    used: by part, over the whole round with the checkpoint after it. written: by PostgreSQL. acks_ms: p50, p95, p99, where it has a door.
    """

    events: int
    seconds: float
    rest_s: float
    used: Mapping[str, Usage]
    written: Written
    acks_ms: Mapping[str, float]

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @property
    def total(self) -> Usage:
        return sum((used for part, used in self.used.items() if part not in NOT_COUNTED), Usage())

    @property
    def cpu_s_per_1000(self) -> float:
        return self.total.cpu_s / self.events * 1000

    @property
    def kb_an_event(self) -> float:
        """PostgreSQL by its own count, the other processes by the kernel's."""
        others = sum(used.written_bytes for part, used in self.used.items() if part not in (*NOT_COUNTED, "postgres"))
        return (sum(self.written.bytes.values()) + others) / self.events / 1000

    def figures(self) -> dict[str, Any]:
        parts = {name: round(used.cpu_s / self.events * 1000, 3) for name, used in self.used.items()}
        return {
            "events": self.events, "events_per_s": round(self.per_second, 1), "seconds": round(self.seconds, 3), "seconds_to_rest": round(self.rest_s, 3),
            "cpu_s_per_1000": round(self.cpu_s_per_1000, 3), "cpu_s_per_1000_by_part": parts, "kb_written_an_event": round(self.kb_an_event, 2),
            "kb_written_an_event_by_the_kernels_count": {name: round(used.written_bytes / self.events / 1000, 2) for name, used in self.used.items()},
            "commits_an_event": round(self.written.commits / self.events, 2), "log_syncs_an_event": round(self.written.log_syncs / self.events, 3),
            "kb_written_an_event_by_kind": {name: round(count / self.events / 1000, 2) for name, count in self.written.bytes.items()},
            "kb_written_an_event_to_the_disk_by_everybody": round(self.written.disk / self.events / 1000, 2),
            "kb_of_log_an_event": round(self.written.log_length / self.events / 1000, 2), "acknowledgement_ms": {name: round(value, 1) for name, value in self.acks_ms.items()},
        }  # fmt: skip


def measure(running: Running, stage: Stage, prefix: str, count: int) -> Took:
    """One round, the only one of this start: it ends the contender's connections. Raises BenchError when the ERP did not get each order exactly once: a figure of work that was not done is no figure."""
    cluster = stage.cluster
    pids = {**running.parts, **cluster.pids(), "erp": stage.erp.process.pid, "source": stage.source.process.pid}
    cluster.execute("CHECKPOINT")
    before, written, began_at = metering.read(pids), Written.read(cluster), time.monotonic()
    seen = running.offer(prefix, count)
    await_done(running, prefix, count, patience_s=PATIENCE_S)
    rest_s = time.monotonic() - began_at
    cluster.execute("CHECKPOINT")
    used = metering.between(before, metering.read(pids))
    cluster.end_connections()
    written = Written.read(cluster) - written
    _check_acknowledged(running, seen, count)
    books = _check_books(running, stage, prefix, count)
    first_at = seen["began_at"] if seen else began_at
    return Took(count, books["last_at"] - first_at, rest_s, used, written, percentiles(seen))


def percentiles(seen: dict[str, Any] | None) -> dict[str, float]:
    """Of acknowledgements, in milliseconds."""
    found = sorted(seen["latencies_s"]) if seen else []
    return {
        f"p{share}": found[min(len(found) * share // 100, len(found) - 1)] * 1000 for share in (50, 95, 99) if found
    }


def _check_acknowledged(running: Running, seen: dict[str, Any] | None, count: int) -> None:
    if seen and len(seen["latencies_s"]) != count:
        raise BenchError(
            f"{running.name} acknowledged {len(seen['latencies_s'])} of {count} events: {seen['statuses']}."
        )


def _check_books(running: Running, stage: Stage, prefix: str, count: int) -> dict[str, Any]:
    books = stage.books(prefix)
    if (books["orders"], books["duplicates"]) != (count, 0):
        raise BenchError(
            f"{running.name}: the ERP has {books['orders']} orders, {books['duplicates']} of them twice, of {count} events."
        )
    return books
