"""What goes wrong: faults of the ERP and of the way to it, processes killed with -9, servers that crash, clocks that jump. One about every 200 events."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.chaos.crew import Crew
from tests.faults import servers
from tests.faults.proxy import FaultyProxy, Kind, Trouble

# (kind, method, parameters): after-commit faults are those that tempt a program to write twice.
FAULTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("timeout_after_commit", "POST", {"hang_s": 1.2}),
    ("timeout_after_commit", "PATCH", {"hang_s": 1.2}),
    ("cut_before_commit", "POST", {}),
    ("cut_after_commit", "POST", {}),
    ("cut_after_commit", "PATCH", {}),
    ("status_after_commit", "POST", {"status": 500}),
    ("status_after_commit", "PATCH", {"status": 500}),
    ("status", "POST", {"status": 503, "retry_after": 1}),
    ("status", "POST", {"status": 429, "retry_after": 1}),
    ("status", "GET", {"status": 503}),
    ("cut_before_commit", "GET", {}),
    # Taken only after we have given up waiting: what settle_s is there for.
    ("latency", "POST", {"ms": 1100}),
)
USES = (1, 12)
LATE_S = 1.1  # beyond the read time-out of the definition, within its settling time


class Storm:
    """Call `blow` often with the number of events taken; it does what is due. Seeded: the same seed draws the same faults in the same order."""

    def __init__(self, seed: int, *, every: int, erp: str, way: FaultyProxy, crew: Crew, servers_in: Path) -> None:
        self._draw, self._every, self._erp, self._way, self._crew, self._root = (
            random.Random(seed),
            every,
            erp,
            way,
            crew,
            servers_in,
        )
        self._next = self._draw.expovariate(1 / every)
        self.seen: Counter[str] = Counter()

    def blow(self, events: int) -> None:
        """Whatever is due by now. What cannot be done just now (no worker to kill) is done at the next call."""
        while events >= self._next:
            name, act = self._draw.choices(self._acts, [weight for _, _, weight in self._weighted])[0]
            if act() is False:
                return
            self.seen[name] += 1
            self._next += self._draw.expovariate(1 / self._every)

    def settle(self) -> None:
        """No more faults and no more kills; the workers go on."""
        self._way.calm()
        httpx.delete(f"{self._erp}/_control/faults", timeout=10, trust_env=False).raise_for_status()

    @property
    def _weighted(self) -> list[tuple[str, Callable[[], object], float]]:
        draw, crew = self._draw, self._crew
        return [
            ("erp", self._fault, 12),
            ("way", self._trouble, 8),
            ("worker_killed", lambda: crew.kill_one(draw), 5),
            ("carrier_killed", lambda: crew.kill_one(draw, carrier_only=True), 3),
            ("beat_killed", crew.kill_beat, 1),
            ("clock_jumped", lambda: crew.jump(draw), 2),
            ("started_with_wrong_clock", lambda: crew.start_wrong(draw), 1),
            ("valkey_killed", lambda: servers.crash_valkey(self._root), 2),
            ("postgres_crashed", lambda: servers.crash_postgres(self._root), 2),
        ]

    @property
    def _acts(self) -> list[tuple[str, Callable[[], object]]]:
        return [(name, act) for name, act, _ in self._weighted]

    def _fault(self) -> None:
        kind, method, parameters = self._draw.choice(FAULTS)
        uses, chance = self._draw.randint(*USES), self._draw.uniform(0.1, 0.9)
        body = {
            "system": "erp", "kind": kind, "method": method, "path_prefix": "/orders", "count": uses, "probability": chance, "params": parameters,
        }  # fmt: skip
        httpx.post(f"{self._erp}/_control/faults", json=body, timeout=10, trust_env=False).raise_for_status()

    def _trouble(self) -> None:
        kind = self._draw.choice(list(Kind))
        trouble = Trouble(kind, bytes=self._draw.randint(0, 400), seconds=LATE_S, chance=self._draw.uniform(0.2, 1))
        self._way.trouble(trouble, calls=self._draw.randint(*USES))
