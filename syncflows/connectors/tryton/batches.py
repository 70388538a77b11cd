"""Several threads' work as one call. Whoever comes first works for all who wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

# How long the first waits for company: threads that come back from one batch arrive together, and the first would go alone.
GATHER_S = 0.02

T = TypeVar("T")


class Batches(Generic[T]):
    """`work` is called with what has gathered, at most `size` at a time, by one thread at a time. It must record each item's result on the item."""

    def __init__(self, work: Callable[[list[T]], None], *, size: int) -> None:
        self._work = work
        self._size = size
        self._change = threading.Condition()
        self._busy = False
        self._waiting: deque[_Entry[T]] = deque()

    @property
    def waiting(self) -> int:
        """Items that nobody works on yet."""
        return len(self._waiting)

    def submit(self, item: T) -> None:
        """Returns when the item has been worked on. Raises what `work` raises, to each of its batch."""
        entry = _Entry(item)
        with self._change:
            self._waiting.append(entry)
        while not entry.done:
            if self._my_turn(entry):
                self._lead()
        if entry.error is not None:
            raise entry.error

    def _my_turn(self, entry: _Entry[T]) -> bool:
        """Waits until the item is done by another, or nobody works and this thread is to."""
        with self._change:
            self._change.wait_for(lambda: entry.done or not self._busy)
            if entry.done:
                return False
            self._busy = True
            return True

    def _lead(self) -> None:
        try:
            time.sleep(GATHER_S)
            self._carry()
        finally:
            with self._change:
                self._busy = False
                self._change.notify_all()

    def _carry(self) -> None:
        with self._change:
            batch = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
        try:
            self._work([entry.item for entry in batch])
        except Exception as error:  # noqa: BLE001 - belongs to every thread of the batch, not only to this one
            for entry in batch:
                entry.error = error
        finally:
            for entry in batch:
                entry.done = True


class _Entry(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item
        self.done = False
        self.error: Exception | None = None
