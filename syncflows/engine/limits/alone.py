"""What one process counts for itself while Valkey is lost: its part of every limit, and its own window. Knows no clock but the one it is given."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence

from syncflows.connectors import pacing
from syncflows.connectors.pacing import MICRO, Pace
from syncflows.engine.limits.windows import Window


class Alone:
    """One process's counters by system. Shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tats: dict[str, dict[str, float]] = {}
        self._slots: dict[str, int] = {}
        self._seen: dict[str, deque[tuple[float, Mapping[str, int]]]] = {}

    def admit(self, system: str, *, limit: int, want: int, workers: int) -> int:
        """Slots given, of this process's part; it has one at least."""
        with self._lock:
            held = self._slots.get(system, 0)
            given = max(0, min(want, max(1, limit // workers) - held))
            self._slots[system] = held + given
            return given

    def give_back(self, system: str, slots: int) -> None:
        with self._lock:
            self._slots[system] = max(0, self._slots.get(system, 0) - slots)

    def turn(self, line: str, paces: Sequence[Pace], *, workers: int, now_s: float, horizon_s: float) -> float:
        """Seconds until the next turn on this line, which is taken; negative: beyond the horizon, nothing taken."""
        parts = [pacing.divided(pace, by=workers) for pace in paces]
        with self._lock:
            tats = self._tats.setdefault(line, {})
            return pacing.turn(tats, parts, now_us=now_s * MICRO, horizon_us=horizon_s * MICRO) / MICRO

    def heard(self, system: str, counts: Mapping[str, int], *, window_s: float, now_s: float) -> Window:
        with self._lock:
            seen = self._seen.setdefault(system, deque())
            seen.append((now_s, counts))
            while seen[0][0] < now_s - window_s:
                seen.popleft()
            return _summed([row for _, row in seen])

    def clear(self) -> None:
        with self._lock:
            self._tats.clear()
            self._slots.clear()
            self._seen.clear()

    def forget(self, system: str) -> None:
        with self._lock:
            self._seen.pop(system, None)


def _summed(rows: Sequence[Mapping[str, int]]) -> Window:
    sums: dict[str, int] = {}
    for row in rows:
        for name, count in row.items():
            sums[name] = sums.get(name, 0) + count
    took = {int(name[1:]): count for name, count in sums.items() if name[0] == "t"}
    return Window(sums.get("calls", 0), sums.get("failures", 0), sums.get("slow", 0), took)
