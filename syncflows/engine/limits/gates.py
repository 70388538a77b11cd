"""One system's gate for one wave: so many calls at once as were granted, and none more once the system says stop or is plainly not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncflows.connectors import pacing
from syncflows.connectors.errors import Transient
from syncflows.connectors.http.throttle import Throttle
from syncflows.engine.enums import Action
from syncflows.engine.limits import verdicts
from syncflows.engine.limits.verdicts import Verdict

if TYPE_CHECKING:
    from syncflows.engine.execute import Job

PATIENCE_S = 30.0
LOOK_AGAIN_S = 1.0


class Gate:
    """Shared by the threads of a wave. `outages`: so many unreachable calls in a row stop it; `throttle` for connectors that do not pace their own requests."""

    def __init__(self, *, system: str, slots: int, outages: int, throttle: Throttle) -> None:
        self.system, self.slots, self.outages, self.throttle = system, slots, outages, throttle
        self._free = threading.BoundedSemaphore(max(1, slots))
        self._lock = threading.Lock()
        self._unreachable = 0
        self._well = False
        self._stopped = ""
        self._stop_s = LOOK_AGAIN_S

    @contextmanager
    def turn(self, job: Job) -> Iterator[None]:
        """Around one call; sets `job.took_s`. Raises Transient with a code of `OURS`, nothing sent, where the call may not be made now."""
        self._check()
        if not self._free.acquire(timeout=PATIENCE_S):
            raise Transient(
                f"{self.system}: as many calls as its definition allows are under way; nothing was sent.",
                code="own_concurrency",
                retry_after_s=LOOK_AGAIN_S,
            )
        try:
            self._check()
            with self._watched(job):
                if not getattr(job.connector, "takes_turns", False):
                    self.throttle.wait(job.step.operation if job.action == Action.SEND else "")
                yield
        finally:
            self._free.release()

    @contextmanager
    def _watched(self, job: Job) -> Iterator[None]:
        pacing.waited.seconds = 0.0
        began, error = time.monotonic(), None
        try:
            yield
        except Exception as raised:
            error = raised
            raise
        finally:
            job.took_s = max(0.0, time.monotonic() - began - pacing.waited.seconds)
            self._learn(error)

    def _check(self) -> None:
        if self._stopped:
            raise Transient(
                f"{self.system}: nothing was sent: {self._stopped}", code="not_admitted", retry_after_s=self._stop_s
            )

    def _learn(self, error: BaseException | None) -> None:
        verdict, quiet_s = verdicts.of_error(error), verdicts.quiet_s(error)
        with self._lock:
            self._well |= verdict == Verdict.WELL
            self._unreachable = self._unreachable + 1 if verdict == Verdict.UNREACHABLE else 0
            refused = type(error).__name__ == "AuthRefused" and not self._well
            if quiet_s or self._unreachable >= self.outages or refused:
                self._stopped, self._stop_s = str(error), max(self._stop_s, quiet_s)
