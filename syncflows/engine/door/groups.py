"""Group commit: requests that wait at the same moment are stored in one transaction, each atomically, and each gets its own receipts.

One thread a process commits. A request that is alone is committed at once; while a commit is under way, the next ones gather.
A group that fails is stored again one request at a time, so that a bad one harms no other. Never answers before the commit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, connection

from meshline.kernel.errors import Unavailable
from syncflows.engine import ingest
from syncflows.engine.arrivals import Arrival, Receipt
from syncflows.engine.door import backlog, gate, memory
from syncflows.engine.door.errors import Full

log = logging.getLogger(__name__)
GROUP_EVENTS, GROUP_BYTES = 256, 8 * 1024 * 1024
WAITING_EVENTS, WAITING_BYTES = 4096, 64 * 1024 * 1024
WAIT_S = 30.0  # longer than any commit of a group takes; a sender that is told 503 then sends again, and is recognised
IDLE_S = 0.5  # after which the thread gives its connection back
LOST = (OperationalError, InterfaceError)
Result = list[Receipt] | BaseException
Accept = Callable[[list[list[Arrival]]], Sequence[Result]]  # of each request its receipts, or why it was not let in


@dataclass(slots=True, eq=False)
class Handed:
    """One request's arrivals, and whom to wake. `loop` is None where a thread waits."""

    arrivals: list[Arrival]
    size_bytes: int
    future: Future[list[Receipt]] | asyncio.Future[list[Receipt]]
    loop: asyncio.AbstractEventLoop | None = None
    result: Result | None = None


class Collector:
    """Takes what requests hand over, and commits it in groups. Safe to call from any thread and any event loop."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._ready = threading.Condition()
        self._waiting: deque[Handed] = deque()
        self._events = self._bytes = 0
        self._thread: threading.Thread | None = None

    def take(self, arrivals: list[Arrival], *, size_bytes: int) -> list[Receipt]:
        """Returns when committed. Raises Full, Unavailable (not committed in time), and what `accept` raises for this request alone."""
        future: Future[list[Receipt]] = Future()
        self._put(Handed(arrivals, size_bytes, future))
        try:
            return future.result(WAIT_S)
        except TimeoutError as error:
            raise _late() from error

    async def take_on_loop(self, arrivals: list[Arrival], *, size_bytes: int) -> list[Receipt]:
        """The same for a caller on an event loop, which it does not hold up."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Receipt]] = loop.create_future()
        self._put(Handed(arrivals, size_bytes, future, loop))
        try:
            async with asyncio.timeout(WAIT_S):
                return await future
        except TimeoutError as error:
            raise _late() from error

    def rest(self) -> None:
        """End the thread once everything handed over is stored; the next request starts another. For the end of a process or a test."""
        with self._ready:
            thread, self._thread = self._thread, None
            self._ready.notify_all()
        if thread is not None:
            thread.join()

    def _put(self, handed: Handed) -> None:
        with self._ready:
            if self._waiting and (self._events >= WAITING_EVENTS or self._bytes >= WAITING_BYTES):
                raise Full(
                    f"{self._events:,} events wait to be stored, as many as this process holds.", retry_after_s=1
                )
            self._waiting.append(handed)
            self._events += len(handed.arrivals)
            self._bytes += handed.size_bytes
            if self._thread is None or not self._thread.is_alive():  # a fork copies the object, not the thread
                self._thread = threading.Thread(target=self._work, name="group-commit", daemon=True)
                self._thread.start()
            self._ready.notify()

    def _work(self) -> None:
        try:
            while group := self._next_group():
                try:
                    self._commit(group)
                except BaseException as error:
                    log.error("a group of %d requests was not stored", len(group), exc_info=error)
                    _settle(group, error)
                _wake(group)
        finally:
            connection.close()

    def _next_group(self) -> list[Handed]:
        """Waits for the first, takes all that wait with it up to a size. Empty when this thread is to end.

        Gives the database connection back when nothing comes for a while.
        """
        with self._ready:
            if not self._ready.wait_for(self._is_due, IDLE_S):
                connection.close()
                self._ready.wait_for(self._is_due)
            group: list[Handed] = []
            events = size = 0
            while self._waiting and (not group or (events < GROUP_EVENTS and size < GROUP_BYTES)):
                group.append(self._pop())
                events, size = events + len(group[-1].arrivals), size + group[-1].size_bytes
        return group

    def _is_due(self) -> bool:
        return bool(self._waiting) or self._thread is not threading.current_thread()

    def _pop(self) -> Handed:
        handed = self._waiting.popleft()
        self._events -= len(handed.arrivals)
        self._bytes -= handed.size_bytes
        return handed

    def _commit(self, group: list[Handed]) -> None:
        """Raises what `accept` raises where the database is lost; every other error is its request's own."""
        for is_last in (False, True):
            try:
                return self._store(group)
            except LOST as error:
                connection.close()
                if is_last:
                    raise
                log.warning("a group of %d requests was not stored, trying once more: %s", len(group), error)
            except Exception as error:  # noqa: BLE001 - each is stored, or refused, for itself
                return self._store_each(group, error)
        return None

    def _store(self, group: list[Handed]) -> None:
        results = self._accept([handed.arrivals for handed in group])
        for handed, result in zip(group, results, strict=True):
            handed.result = result

    def _store_each(self, group: list[Handed], error: Exception) -> None:
        if len(group) == 1:
            _settle(group, error)
            return
        log.warning("a group of %d requests failed, storing one by one: %s", len(group), error)
        for handed in group:
            try:
                self._store([handed])
            except LOST:
                raise
            except Exception as own:  # noqa: BLE001 - told to this request's sender
                handed.result = own


def take(arrivals: list[Arrival], *, size_bytes: int) -> list[Receipt]:
    """Store with others; returns when committed. Within a transaction of the caller, it is stored in that one. Raises as Collector.take."""
    if not arrivals:
        return []
    if not connection.in_atomic_block:
        return COLLECTOR.take(arrivals, size_bytes=size_bytes)
    [result] = accept([arrivals])
    if isinstance(result, BaseException):
        raise result
    return result


def accept(requests: list[list[Arrival]]) -> list[Result]:
    """Let in whom the gate lets in, and store what they bring in one transaction."""
    definitions = memory.read()
    refusals = gate.judge(requests, definitions)
    taken = [arrivals for arrivals, refusal in zip(requests, refusals, strict=True) if refusal is None]
    receipts = iter(ingest.accept([arrival for arrivals in taken for arrival in arrivals], catalog=definitions))
    return [refusal or [next(receipts) for _ in arrivals] for arrivals, refusal in zip(requests, refusals, strict=True)]


def _accept_and_gauge(requests: list[list[Arrival]]) -> list[Result]:
    results = accept(requests)
    if definitions := memory.recent():
        backlog.GAUGE.touch(definitions)
    return results


COLLECTOR = Collector(_accept_and_gauge)


def _settle(group: list[Handed], error: BaseException) -> None:
    """Those that are not stored yet are told this error."""
    for handed in group:
        handed.result = error if handed.result is None else handed.result


def _wake(group: list[Handed]) -> None:
    """Threads at once; each event loop once for all of its requests."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Handed]] = {}
    for handed in group:
        if handed.loop is None:
            _resolve([handed])
        else:
            by_loop.setdefault(handed.loop, []).append(handed)
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, theirs)
        except RuntimeError:
            log.warning("%d requests ended with their event loop, after their commit", len(theirs))


def _resolve(group: list[Handed]) -> None:
    for handed in group:
        if handed.future.done():
            continue
        if isinstance(handed.result, BaseException):
            handed.future.set_exception(handed.result)
        else:
            handed.future.set_result(handed.result or [])


def _late() -> Unavailable:
    return Unavailable(
        f"This was not stored within {WAIT_S:.0f} s. Send it again: if it was stored after all, it is recognised.",
        code="not_stored_in_time",
    )
