"""What goes wrong: faults of the ERP, switched on at random moments, and workers that are killed with -9 and replaced."""

from __future__ import annotations

import random
import time
from typing import Any

import httpx

from bench.chaos.crew import Crew

# (kind, method, path, parameters): after-commit faults are those that tempt a program to write twice.
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
FAULT_EVERY_S = (0.4, 2.0)
KILL_EVERY_S = (2.0, 5.0)
USES = (1, 12)


class Storm:
    """Call `blow` often; it does what is due. Seeded: the same seed draws the same faults in the same order."""

    def __init__(self, seed: int, *, erp: str, crew: Crew) -> None:
        self._draw, self._erp, self._crew = random.Random(seed), erp, crew
        self._next_fault, self._next_kill = self._after(FAULT_EVERY_S), self._after(KILL_EVERY_S)
        self.faults = 0

    def blow(self) -> None:
        if time.monotonic() > self._next_fault:
            self._fault()
            self._next_fault = self._after(FAULT_EVERY_S)
        if time.monotonic() > self._next_kill and self._crew.kill_one(self._draw):
            self._next_kill = self._after(KILL_EVERY_S)

    def settle(self) -> None:
        """No more faults and no more kills; the workers go on."""
        httpx.delete(f"{self._erp}/_control/faults", timeout=10, trust_env=False).raise_for_status()

    def _fault(self) -> None:
        kind, method, parameters = self._draw.choice(FAULTS)
        uses, chance = self._draw.randint(*USES), self._draw.uniform(0.1, 0.9)
        body = {
            "system": "erp", "kind": kind, "method": method, "path_prefix": "/orders", "count": uses, "probability": chance, "params": parameters,
        }  # fmt: skip
        httpx.post(f"{self._erp}/_control/faults", json=body, timeout=10, trust_env=False).raise_for_status()
        self.faults += 1

    def _after(self, span_s: tuple[float, float]) -> float:
        return time.monotonic() + self._draw.uniform(*span_s)
