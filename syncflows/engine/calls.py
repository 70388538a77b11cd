"""The calls of one wave, side by side, each in a thread. A call that hangs beyond its own time-outs is left behind; the others never wait for it for ever.

No database here: threads only call. Every error becomes part of a result.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from django.conf import settings

from meshline.kernel.errors import MeshlineError
from syncflows.connectors.errors import NotFound, OutcomeUnknown, Transient
from syncflows.connectors.protocol import Answer, Call
from syncflows.engine.adoption import key_to_send
from syncflows.engine.enums import Action

if TYPE_CHECKING:
    from syncflows.engine.execute import Job, Result

LOOK_EVERY_S = 1.0


def hung_after_s(job: Job) -> float:
    """Far beyond what a call may take: our own waits, a fresh credential, several requests of one operation, a body that trickles."""
    times = job.system.spec.timeouts
    return float(60 + 10 * (times.connect_s + times.read_s))


class Wave:
    """`holds` says whether the lease is still ours: nothing is sent once it may be somebody else's."""

    def __init__(self, jobs: Sequence[Job], result: type[Result], *, holds: Callable[[], bool]) -> None:
        self.jobs, self.result, self.holds = jobs, result, holds
        self.turns = itertools.count()
        self.began: dict[int, float] = {}
        self.results: dict[int, Result] = {}
        self.changed = threading.Condition()

    def perform(self) -> list[Result]:
        """A result for each job, in order."""
        for _ in range(min(len(self.jobs), settings.MESHLINE_WRITE_THREADS)):
            self._start()
        with self.changed:
            while len(self.results) < len(self.jobs):
                self.changed.wait(LOOK_EVERY_S)
                self._leave_hung()
        return [self.results[place] for place in range(len(self.jobs))]

    def _start(self) -> None:
        threading.Thread(target=self._take_turns, name="write", daemon=True).start()

    def _take_turns(self) -> None:
        while (place := next(self.turns)) < len(self.jobs):
            self.began[place] = time.monotonic()
            found = self._call(self.jobs[place])
            with self.changed:
                left_behind = place in self.results
                self.results.setdefault(place, found)
                if len(self.results) == len(self.jobs):
                    self.changed.notify()
            if left_behind:
                return

    def _leave_hung(self) -> None:
        now = time.monotonic()
        for place, began in list(self.began.items()):
            if place not in self.results and now - began > hung_after_s(self.jobs[place]):
                self.results[place] = self.result(self.jobs[place], error=_hung(self.jobs[place], now - began))
                self._start()

    def _call(self, job: Job) -> Result:
        try:
            return self._gated(job)
        except MeshlineError as error:
            return self.result(job, error=error)
        except Exception as error:  # noqa: BLE001 - the boundary of a thread: judged and ticketed by the caller
            return self.result(job, error=error, trace=traceback.format_exc())

    def _gated(self, job: Job) -> Result:
        with job.gate.turn(job) if job.gate else contextlib.nullcontext():
            if job.action == Action.PROBE:
                return self.result(job, found=tuple(_find(job)))
            self._check(job)
            request = replace(_request(job), check=lambda: self._check(job))
            return self.result(job, answer=job.connector.execute(request))

    def _check(self, job: Job) -> None:
        """Asked once more by the connector, as the last thing before it writes to the wire: it may have waited for a token, a connection, its turn."""
        if not self.holds():
            raise Transient(
                f"{job.step.reference} was not sent: this worker lost touch with the database for too long.",
                code="lease_lost",
            )


def _hung(job: Job, after_s: float) -> MeshlineError:
    if job.action == Action.PROBE:
        return Transient(
            f"{job.step.system}: the look-up of {job.step.reference} hangs ({after_s:.0f} s).", code="call_hangs"
        )
    return OutcomeUnknown(
        f"{job.step.system}: {job.step.operation} hangs ({after_s:.0f} s). It may have taken effect; look it up first."
    )


def _find(job: Job) -> list[Answer]:
    try:
        return job.connector.find(job.step.operation, reference=job.step.reference)
    except NotFound:
        return []


def _request(job: Job) -> Call:
    run = job.carry.run
    return Call(
        operation=job.step.operation, document=job.step.document, reference=job.step.reference, idempotency_key=key_to_send(job.carry, job.step),
        attempt=job.attempt.number, external_id=job.step.external_id, correlation=_traceparent(run.correlation_id, run.pk),
    )  # fmt: skip


def _traceparent(correlation_id: str, run_id: int) -> dict[str, str]:
    """W3C Trace Context: the business transaction's trace id, this run as the parent."""
    is_trace_id = len(correlation_id) == 32 and set(correlation_id) <= set("0123456789abcdef")
    return (
        {"traceparent": f"00-{correlation_id}-{run_id:016x}-01"}
        if is_trace_id
        else {"X-Correlation-Id": correlation_id}
    )
