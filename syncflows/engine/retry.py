"""When to try again, and when no more. Pure: neither database nor current time.

Full and equal jitter as in "Exponential Backoff And Jitter" (AWS Architecture Blog). Retry-After as in RFC 9110: never earlier.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from meshline.kernel.formatting import duration_text
from syncflows.engine.hours import WeeklyHours
from syncflows.governance.schemas.retries import Retry

LEAST_S = 0.05
AFTER_OPENING_S = 60.0  # those that waited for a system to open do not all come in its first second
_own_draw = random.Random()  # noqa: S311 - spreads load, guards nothing
MOST_DOUBLINGS = 60  # beyond, every formula has long met its cap


@dataclass(frozen=True)
class Budget:
    """What a run may still do: `tries` made, this one included; `since` its first failure, None before one; `late_at` when its flow's target would be
    missed; `call_s` how long a call may take, so that the last one ends before that."""

    policy: Retry
    tries: int
    since: datetime | None = None
    late_at: datetime | None = None
    call_s: float = 0


@dataclass(frozen=True)
class Next:
    """Try again at `due_at`; `why` then, for people, without a full stop."""

    due_at: datetime
    why: str


@dataclass(frozen=True)
class Spent:
    """No more tries; `code` which budget ended, `why` in words."""

    code: str
    why: str


def ceiling_s(policy: Retry, *, attempt: int) -> float:
    """The longest wait after this attempt (1 for the first), in seconds, before what the far side asks and when it is open."""
    number = max(1, attempt)
    match policy.formula:
        case "linear":
            grown = policy.base_s * number
        case "constant":
            grown = policy.base_s
        case "fibonacci":
            grown = policy.base_s * _fibonacci(min(number, MOST_DOUBLINGS))
        case _:
            grown = policy.base_s * policy.factor ** min(number - 1, MOST_DOUBLINGS)
    return min(policy.cap_s, grown)


def next_at(
    policy: Retry, *, attempt: int, now: datetime, retry_after_s: float | None = None, draw: random.Random | None = None
) -> datetime:
    """When the next try is due: jittered, never before what the far side asked for, and within its hours."""
    return _next(policy, attempt=attempt, now=now, retry_after_s=retry_after_s, draw=draw).due_at


def decide(
    budget: Budget, *, now: datetime, retry_after_s: float | None = None, draw: random.Random | None = None
) -> Next | Spent:
    """The next try, or which budget forbids it: attempts, time since the first failure, or the flow's target."""
    policy = budget.policy
    if exhausted(policy, attempt=budget.tries):
        return Spent("retries_exhausted", f"Gave up after {budget.tries} tries")
    found = _next(policy, attempt=budget.tries, now=now, retry_after_s=retry_after_s, draw=draw)
    return out_of_time(budget, at=found.due_at, now=now) or found


def out_of_time(budget: Budget, *, at: datetime, now: datetime) -> Spent | None:
    """Whether a try at that moment would come too late, for `give_up_after_s` or for the flow's target."""
    ends = gives_up_at(budget.policy, since=budget.since or now)
    if ends is not None and at > ends:
        limit = duration_text(budget.policy.give_up_after_s or 0)
        return Spent(
            "retry_time_exhausted",
            f"Gave up after {_tries(budget.tries)}: the next would come later than {limit} after the first failure",
        )
    if budget.late_at is not None and at + timedelta(seconds=budget.call_s) >= budget.late_at:
        return Spent(
            "sla_would_be_missed", f"Gave up after {_tries(budget.tries)}: the next could not end in time for the flow"
        )
    return None


def gives_up_at(policy: Retry, *, since: datetime) -> datetime | None:
    """No try later than this; None where only attempts count."""
    return None if policy.give_up_after_s is None else since + timedelta(seconds=policy.give_up_after_s)


def exhausted(policy: Retry, *, attempt: int) -> bool:
    return attempt >= policy.max_attempts


def words(policy: Retry) -> str:
    """The policy in one line: `exponential 2 s × 2, at most 5 min, full jitter; 10 tries`."""
    growth = {
        "exponential": f"× {policy.factor:g} each time",
        "linear": "more each time",
        "fibonacci": "growing as Fibonacci's numbers",
    }
    said = [f"{policy.formula} {policy.base_s:g} s {growth.get(policy.formula, 'each time')}"]
    said.append(f"at most {duration_text(policy.cap_s)}, {policy.jitter} jitter; {_tries(policy.max_attempts)}")
    if policy.give_up_after_s is not None:
        said.append(f"for at most {duration_text(policy.give_up_after_s)}")
    if policy.hours:
        said.append(f"{' '.join(policy.hours.days)} {policy.hours.from_}-{policy.hours.to} {policy.hours.zone}")
    return ", ".join(said)


def _next(
    policy: Retry, *, attempt: int, now: datetime, retry_after_s: float | None, draw: random.Random | None
) -> Next:
    source = draw or _own_draw
    wait_s = _jittered(ceiling_s(policy, attempt=attempt), policy, source)
    why = f"after a wait of {duration_text(wait_s)}"
    if retry_after_s is not None and retry_after_s > wait_s:
        wait_s, why = retry_after_s, _asked_for(policy, retry_after_s)
    due_at = now + timedelta(seconds=wait_s)
    if policy.hours is None:
        return Next(due_at, why)
    return _within_hours(policy, Next(due_at, why), attempt=attempt, source=source)


def _within_hours(policy: Retry, found: Next, *, attempt: int, source: random.Random) -> Next:
    assert policy.hours is not None
    calendar = WeeklyHours(policy.hours)
    opens_at = calendar.opens_at(found.due_at)
    if opens_at == found.due_at:
        return found
    spread_s = min(AFTER_OPENING_S, ceiling_s(policy, attempt=attempt))
    later = opens_at + timedelta(seconds=source.uniform(0, spread_s)) if policy.jitter != "none" else opens_at
    if calendar.opens_at(later) != later:
        later = opens_at
    return Next(later, f"when it opens ({policy.hours.from_} {policy.hours.zone})")


def _jittered(longest_s: float, policy: Retry, source: random.Random) -> float:
    match policy.jitter:
        case "none":
            return max(LEAST_S, longest_s)
        case "equal":
            return max(LEAST_S, source.uniform(longest_s / 2, longest_s))
    return source.uniform(min(LEAST_S, longest_s), longest_s)


def _asked_for(policy: Retry, retry_after_s: float) -> str:
    said = f"as the system asked (Retry-After {duration_text(retry_after_s)})"
    if retry_after_s > policy.retry_after_expected_s:
        said += f", unusually long: more than {duration_text(policy.retry_after_expected_s)}"
    return said


def _tries(count: int) -> str:
    return f"{count} {'try' if count == 1 else 'tries'}"


def _fibonacci(number: int) -> int:
    """1, 1, 2, 3, 5…"""
    before, found = 0, 1
    for _ in range(number - 1):
        before, found = found, before + found
    return found
