"""Permits and counts: from the shared counters where they answer, else from this process's own part. Never fails a call for their loss."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from syncflows.connectors.pacing import Pace
from syncflows.engine.limits import shared, windows
from syncflows.engine.limits.alone import Alone
from syncflows.engine.limits.keeper import KEEPER, LEASE_S
from syncflows.engine.limits.policy import Policy
from syncflows.engine.limits.shared import Lost
from syncflows.engine.limits.windows import BUCKETS, Window

MICRO = 1_000_000
HORIZON_S = 1.0  # a call whose turn is nearer stays in the wave and waits for it
CREDIT_S = 30.0  # how long one request may wait for its turn
LONGEST_S = 300.0  # nobody is put back for longer: limits may be raised meanwhile
RECENT_S = 10.0  # who has asked since counts when slots are shared out
ALONE = Alone()
_most_workers = [1]


@dataclass(frozen=True)
class Ask:
    """For one wave: `calls` the paces of each call, in the order in which they should go; `limit` calls at once over all workers."""

    policy: Policy
    limit: int
    want: int
    calls: Sequence[Sequence[Pace]]


@dataclass(frozen=True)
class Grant:
    """`delays_s` for each call: when its turn is (negative: beyond the wave; come back then). No slots: none was free."""

    system: str
    holder: str
    slots: int
    delays_s: Sequence[float]
    quiet_s: float = 0.0
    shared: bool = True


@dataclass(frozen=True)
class Seen:
    """After a wave: the grant to give back, but for `kept` slots of calls that hang, and what to count."""

    grant: Grant | None
    policy: Policy
    counts: dict[str, int]
    quiet_s: float = 0.0
    kept: int = 0


@dataclass(frozen=True)
class Heard:
    """`waiting`: others were refused slots that are free now."""

    window: Window
    waiting: bool = False


def admit(asks: Sequence[Ask]) -> list[Grant]:
    """A grant for each ask, in one round trip."""
    holder = f"{_worker()}:{secrets.token_hex(4)}"
    try:
        answers = shared.counters().admit([_asked(ask, holder) for ask in asks])
    except Lost:
        return [_alone(ask) for ask in asks]
    _most_workers[0] = max([1, *(int(answer["workers"]) for answer in answers)])
    grants = [_granted(ask, holder, answer) for ask, answer in zip(asks, answers, strict=True)]
    KEEPER.keep([grant for grant in grants if grant.slots])
    return grants


def heard(seen: Sequence[Seen]) -> list[Heard]:
    """Give back and count, in one round trip."""
    KEEPER.leave([one.grant for one in seen if one.grant])
    for one in seen:
        if one.grant and not one.grant.shared:
            ALONE.give_back(one.grant.system, one.grant.slots)
    try:
        answers = shared.counters().heard([_told(one) for one in seen])
    except Lost:
        now_s = time.monotonic()
        return [
            Heard(ALONE.heard(one.policy.system, one.counts, window_s=one.policy.breaker.window_s, now_s=now_s))
            for one in seen
        ]
    return [Heard(windows.of_counts(answer), bool(answer["waiting"])) for answer in answers]


def take(system: str, paces: Sequence[Pace]) -> float:
    """Seconds until this request's turn, which is taken; negative: too far away, nothing taken."""
    ask = {"paces": _paces(paces), "horizon_us": int(CREDIT_S * MICRO)}
    try:
        answer = shared.counters().take(system, ask)
    except Lost:
        return ALONE.turn(system, paces, workers=sharing(), now_s=time.monotonic(), horizon_s=CREDIT_S)
    wait_s = answer["wait_ms"] / 1000
    return wait_s if answer["taken"] else -max(wait_s, 0.001)


def forget(policy: Policy) -> None:
    """Empty the window, when the circuit closes."""
    ALONE.forget(policy.system)
    try:
        shared.counters().forget(policy.system, {**_window(policy), "quiet": False})
    except Lost:
        return


def begin_anew() -> None:
    """Forget everything counted so far; as after a loss, nothing that must be right is lost with it."""
    KEEPER.clear()
    ALONE.clear()
    shared.counters().clear()


def sharing() -> int:
    """By how many a limit is divided while Valkey is lost: as many workers as were seen at once, or as the setting says, whichever is more."""
    return max(_most_workers[0], int(settings.MESHLINE_LIMITS_DIVIDED_BY))


def _alone(ask: Ask) -> Grant:
    system, workers, now_s = ask.policy.system, sharing(), time.monotonic()
    slots = ALONE.admit(system, limit=ask.limit, want=ask.want, workers=workers)
    turn = [
        ALONE.turn(f"{system}:plan", paces, workers=workers, now_s=now_s, horizon_s=HORIZON_S) for paces in ask.calls if slots
    ]  # fmt: skip
    return Grant(system, "", slots, turn, shared=False)


def _asked(ask: Ask, holder: str) -> dict[str, Any]:
    return {
        "system": ask.policy.system,
        "worker": _worker(),
        "holder": holder,
        "want": ask.want,
        "limit": ask.limit,
        "lease_us": int(LEASE_S * MICRO),
        "recent_us": int(RECENT_S * MICRO),
        "horizon_us": int(HORIZON_S * MICRO),
        "longest_us": int(LONGEST_S * MICRO),
        "calls": [_paces(paces) for paces in ask.calls] if ask.policy.has_paces else [],
    }


def _granted(ask: Ask, holder: str, answer: dict[str, Any]) -> Grant:
    delays = answer["delays"] or [0] * len(ask.calls)
    return Grant(
        ask.policy.system, holder, int(answer["slots"]), [ms / 1000 for ms in delays], answer["quiet_ms"] / 1000
    )


def _told(one: Seen) -> dict[str, Any]:
    held = one.grant if one.grant and one.grant.shared else None
    return {
        "system": one.policy.system, **_window(one.policy), "counts": one.counts, "quiet_us": int(one.quiet_s * MICRO),
        "holder": held.holder if held else "", "slots": held.slots if held else 0, "kept": one.kept,
    }  # fmt: skip


def _window(policy: Policy) -> dict[str, Any]:
    return {"window_us": int(policy.breaker.window_s * MICRO), "buckets": BUCKETS}


def _paces(paces: Sequence[Pace]) -> list[list[Any]]:
    return [[pace.key, pace.interval_us, pace.tolerance_us] for pace in paces]


def _worker() -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def look(policies: Sequence[Policy]) -> list[dict[str, Any]] | None:
    """What the shared counters say of these systems now; None while they are lost."""
    asks = [
        {"system": policy.system, **_window(policy), "paces": _paces(policy.paces), "recent_us": int(RECENT_S * MICRO)}
        for policy in policies
    ]
    try:
        return shared.counters().look(asks)
    except Lost:
        return None
