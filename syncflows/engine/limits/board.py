"""The engine's door to the limits: what may be called before a wave, what was seen after it.

One query a batch for the systems' rows, one round trip to Valkey before a wave and one after it; the database is written only when a circuit changes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from meshline.kernel import clock
from ownership.enums import Circuit, SystemState
from ownership.models import System
from syncflows.connectors.http.throttle import Throttle
from syncflows.engine.carry import Rest
from syncflows.engine.enums import Action, RunStatus
from syncflows.engine.limits import circuit, meter, policy, verdicts, waking, windows
from syncflows.engine.limits.circuit import Rows
from syncflows.engine.limits.gates import Gate
from syncflows.engine.limits.meter import Ask, Grant, Heard, Seen
from syncflows.engine.limits.policy import Policy
from syncflows.engine.limits.verdicts import Tally, Verdict

if TYPE_CHECKING:
    from syncflows.engine.execute import Job, Result

WOKEN_S = (600.0, 900.0)  # who is woken by an event looks by itself only in case the event was missed
SLOT_S = (5.0, 10.0)
PATIENCE_S = (
    0.05,
    0.15,
    0.3,
    0.5,
)  # a worker that gets no slot at all waits so often for one before it puts its runs back
FRESH = timedelta(seconds=30)


@dataclass
class Wave:
    """What one system's calls of a wave hold and saw."""

    policy: Policy
    grant: Grant | None
    tally: Tally = field(default_factory=Tally)
    hung: int = 0


@dataclass
class Board:
    """The systems as read at the beginning of a batch; one worker's view of its permits."""

    rows: Rows
    waves: dict[str, Wave] = field(default_factory=dict)
    news: dict[str, tuple[Policy, Tally, Heard]] = field(default_factory=dict)
    trying: set[str] = field(default_factory=set)
    _put_back: dict[str, int] = field(default_factory=dict)

    def rest(self, system: str) -> Rest | None:
        """Where a run comes to rest whose system takes no call now; None where one may be made. From the rows alone."""
        row = self.rows.by_name.get(system)
        if row is None:
            return None
        until, now = self._closed_until(row), self.rows.now()
        if until is None or until <= now:
            return None
        why = row.state_reason or ("it asked us to wait" if row.quiet_until else "")
        return self._waits(system, f"{system} is not taking calls: {why}", until)

    def admit(self, jobs: Sequence[Job]) -> list[Job]:
        """Those that may be called now, each with its gate; the others come to rest until their turn, and it is not one of their tries."""
        free, going = [], []
        for system, some in _by_system(jobs).items():
            row = self.rows.by_name.get(system)
            if row is not None and row.circuit != Circuit.CLOSED:
                going += self._one_that_tries(row, some)
            elif some:
                free.append(some)
        return going + self._permitted(free, patient=not going)

    def heard(self, results: Sequence[Result]) -> None:
        """Count what a wave saw, and give its permits back: call it as soon as the calls have ended."""
        for result in results:
            wave = self.waves.get(result.job.step.system)
            if wave is not None:
                _count(wave, result)
        self.release()

    def release(self) -> None:
        """Give back whatever permits a wave holds. Idempotent."""
        waves, self.waves = list(self.waves.values()), {}
        if not waves:
            return
        seen = [Seen(wave.grant, wave.policy, wave.tally.counts, wave.tally.quiet_s, wave.hung) for wave in waves]
        for wave, heard in zip(waves, meter.heard(seen), strict=True):
            self.news[wave.policy.system] = (wave.policy, wave.tally, heard)

    def save(self) -> None:
        """Write down what changes a circuit, wake who waited for our permits. No query where all is well."""
        news, self.news = self.news, {}
        well = []
        for name, (rules, tally, heard) in news.items():
            row = self.rows.by_name.get(name)
            if row is None:
                continue
            if heard.waiting:
                waking.some(name, number=settings.MESHLINE_BATCH_SIZE)
            if self._matters(row, rules, tally, heard):
                self._settle(row, rules, tally, heard)
            elif tally.well and not self._fresh(row):
                row.last_ok_at = self.rows.now()
                well.append(name)
        if well:
            circuit.touch(well)
        self.trying.clear()

    def _settle(self, row: System, rules: Policy, tally: Tally, heard: Heard) -> None:
        if circuit.settle(rules, tally, heard.window, trying=row.name in self.trying):
            meter.forget(rules)
        self.rows.by_name[row.name] = System.objects.get(pk=row.pk)

    def _matters(self, row: System, rules: Policy, tally: Tally, heard: Heard) -> bool:
        if row.name in self.trying or tally.quiet_s:
            return True
        if row.state != SystemState.UP or row.consecutive_failures:
            return bool(tally.well or tally.failed)
        sign = tally.failed or tally.counts.get("slow")
        return bool(tally.unreachable or (sign and windows.opens(heard.window, rules.breaker)))

    def _fresh(self, row: System) -> bool:
        return row.last_ok_at is not None and row.last_ok_at > self.rows.now() - FRESH

    def _closed_until(self, row: System) -> datetime | None:
        if row.state == SystemState.PAUSED:
            return self.rows.now() + timedelta(seconds=_between(WOKEN_S))
        until = [row.quiet_until, row.retry_at if row.circuit != Circuit.CLOSED else None]
        return max((at for at in until if at), default=None)

    def _one_that_tries(self, row: System, jobs: list[Job]) -> list[Job]:
        """Of a circuit whose time has come, the best item of this worker, if no other worker's has the try already."""
        best = min(jobs, key=_urgency)
        rules = policy.of(best.system)
        took = row.name not in self.trying and circuit.try_it(row.name, lasts_s=rules.try_lasts_s)
        for job in jobs:
            if not took or job is not best:
                job.carry.rest = self._waits(row.name, f"{row.name} is not taking calls: {row.state_reason}", None)
        if not took:
            return []
        self.trying.add(row.name)
        self._opened(Wave(rules, None), [best], slots=1)
        return [best]

    def _permitted(self, groups: list[list[Job]], *, patient: bool) -> list[Job]:
        groups = [sorted(jobs, key=_urgency) for jobs in groups]
        grants = self._ask(groups)
        for wait_s in PATIENCE_S if patient else ():
            if any(grant.slots for grant in grants) or not any(_only_slots(grant) for grant in grants):
                break
            time.sleep(wait_s)
            grants = self._ask(groups)
        return [job for jobs, grant in zip(groups, grants, strict=True) for job in self._granted(jobs, grant)]

    def _ask(self, groups: list[list[Job]]) -> list[Grant]:
        return meter.admit([self._asked(jobs) for jobs in groups]) if groups else []

    def _asked(self, jobs: list[Job]) -> Ask:
        rules = policy.of(jobs[0].system)
        want = min(len(jobs), settings.MESHLINE_WRITE_THREADS, rules.concurrency)
        limit = min(rules.concurrency, self._ramp(rules.system))
        paces = [rules.paces_of(job.step.operation) if job.action == Action.SEND else rules.paces for job in jobs]
        return Ask(rules, limit, want, paces)

    def _ramp(self, system: str) -> int:
        """How many calls at once a system takes that has just come back: a few, doubled each second."""
        row = self.rows.by_name.get(system)
        if row is None or row.state_since is None or row.state == SystemState.PAUSED:
            return 1_000_000
        passed_s = (self.rows.now() - row.state_since).total_seconds()
        return waking.FIRST * 2 ** min(20, max(0, int(passed_s)))

    def _granted(self, jobs: list[Job], grant: Grant) -> list[Job]:
        if not grant.slots:
            self._none(jobs, grant)
            return []
        going = [job for job, delay_s in zip(jobs, grant.delays_s, strict=True) if delay_s >= 0]
        for job, delay_s in zip(jobs, grant.delays_s, strict=True):
            if delay_s < 0:
                job.carry.rest = _its_turn(grant.system, "its rate limit is used up", -delay_s)
        self._opened(Wave(policy.of(jobs[0].system), grant), going, slots=grant.slots)
        return going

    def _none(self, jobs: list[Job], grant: Grant) -> None:
        for job in jobs:
            if grant.quiet_s:
                at = self.rows.now() + timedelta(seconds=grant.quiet_s)
                job.carry.rest = self._waits(grant.system, f"{grant.system} asked us to wait", at)
            else:
                job.carry.rest = _its_turn(grant.system, "as many calls as it may take are under way", _between(SLOT_S))

    def _opened(self, wave: Wave, jobs: list[Job], *, slots: int) -> None:
        rules = wave.policy
        throttle = Throttle(system=rules.system, paces=rules.paces, by_operation=rules.by_operation)
        gate = Gate(system=rules.system, slots=slots, outages=rules.breaker.consecutive_outages, throttle=throttle)
        self.waves[wave.policy.system] = wave
        for job in jobs:
            job.gate = gate

    def _waits(self, system: str, reason: str, until: datetime | None) -> Rest:
        """The first that waits comes back when its time has come; the others are woken, and look by themselves only much later."""
        local, place = self.rows.now(), self._put_back.get(system, 0)
        self._put_back[system] = place + 1
        later = local + timedelta(seconds=_between(WOKEN_S))
        due_at = until if until is not None and place == 0 else later
        row = self.rows.by_name.get(system)
        if until is not None and row is not None and row.circuit == Circuit.CLOSED and row.state != SystemState.PAUSED:
            due_at = until + timedelta(seconds=place / 20)
        return Rest(RunStatus.RETRYING, reason.removesuffix(": "), due_at=due_at, waits_for=waking.waits_for(system), counts=False)  # fmt: skip


def board() -> Board:
    """One query."""
    return Board(circuit.rows())


def _its_turn(system: str, why: str, after_s: float) -> Rest:
    due_at = clock.now() + timedelta(seconds=after_s)
    return Rest(RunStatus.RETRYING, f"Waits for its turn at {system}: {why}", due_at=due_at, waits_for=waking.waits_for_turn(system), counts=False)  # fmt: skip


def _only_slots(grant: Grant) -> bool:
    return not grant.slots and not grant.quiet_s


def _by_system(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.step.system, []).append(job)
    return found


def _urgency(job: Job) -> tuple[bool, int, int]:
    """Look-ups of writes whose outcome is unknown first, then by priority, then the oldest."""
    return job.action != Action.PROBE, job.carry.run.priority, job.carry.run.pk


def _count(wave: Wave, result: Result) -> None:
    verdict = verdicts.of(result)
    wave.tally.add(verdict, error=result.error)
    wave.hung += result.job.took_s is None and verdict == Verdict.FAILED  # it was left behind, and is still under way
    if verdict in (Verdict.NOTHING, Verdict.BUSY):
        return
    wave.tally.count("calls")
    if verdict != Verdict.WELL:
        wave.tally.count("failures")
    took_s, slow_s = result.job.took_s, wave.policy.breaker.slow_call_s
    if took_s is not None:
        wave.tally.count(f"t{windows.step_of(took_s)}")
        if slow_s is not None and took_s > slow_s:
            wave.tally.count("slow")


def _between(seconds: tuple[float, float]) -> float:
    return random.uniform(*seconds)  # noqa: S311 - spreads load, guards nothing
