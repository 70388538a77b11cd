"""The scripts in Valkey, asked as workers ask: by its own clock, and never beyond what is allowed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from syncflows.engine.limits import keeper, meter, policy, shared
from syncflows.engine.limits.meter import Ask, Grant, Seen
from syncflows.engine.limits.policy import Policy
from syncflows.governance.schemas.systems import Breaker, Operation, RateLimit, System
from tests import polling


def rules(name: str = "erp", **spec: object) -> Policy:
    return policy.read(name, System(**spec))


def ask(found: Policy, want: int, *, calls: int = 1) -> Grant:
    [grant] = meter.admit([Ask(found, found.concurrency, want, [found.paces] * calls)])
    return grant


def give_back(found: Policy, grant: Grant, **counts: int) -> meter.Heard:
    [heard] = meter.heard([Seen(grant, found, counts)])
    return heard


def test_slots_are_never_more_than_the_limit_and_come_back() -> None:
    found = rules(concurrency=8)
    first, second = ask(found, 6), ask(found, 6)
    assert (first.slots, second.slots) == (6, 2)
    assert ask(found, 6).slots == 0
    assert give_back(found, first).waiting
    assert ask(found, 6).slots == 6


def test_slots_are_shared_out_between_workers_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found, given = rules(concurrency=8), []
    for worker in ("a", "b", "a", "b"):
        monkeypatch.setattr(meter, "_worker", lambda worker=worker: worker)
        grant = ask(found, 8)
        given.append(grant.slots)
        give_back(found, grant)
    assert given == [8, 4, 4, 4]


def test_worker_that_wants_little_leaves_the_rest_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rules(concurrency=8)
    monkeypatch.setattr(meter, "_worker", lambda: "a")
    give_back(found, ask(found, 1))
    monkeypatch.setattr(meter, "_worker", lambda: "b")
    assert ask(found, 8).slots == 7


def test_slots_of_a_dead_worker_lapse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "LEASE_S", 0.3)
    found = rules(concurrency=2)
    dead = ask(found, 2)
    keeper.KEEPER.leave([dead])  # nobody renews
    assert ask(found, 2).slots == 0
    polling.until(lambda: ask(found, 2).slots == 2, timeout_s=5, what=lambda: "slots", every_s=0.05)


def test_slots_of_a_living_worker_are_kept_beyond_their_lease_and_after_a_flush(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meter, "LEASE_S", 0.5)
    monkeypatch.setattr(keeper, "LEASE_S", 0.5)
    monkeypatch.setattr(keeper, "RENEW_EVERY_S", 0.1)
    monkeypatch.setattr(keeper, "KEEPER", keeper.Keeper())
    monkeypatch.setattr(meter, "KEEPER", keeper.KEEPER)
    found = rules(concurrency=2)
    held = ask(found, 2)
    shared.counters().clear()
    key = shared.key_of("erp") + ":slots"
    polling.until(lambda: shared.counters().client.zcard(key) == 2, timeout_s=5, what=lambda: "renewed")
    end = time.monotonic() + 1
    polling.until(lambda: time.monotonic() > end, timeout_s=3, what=lambda: "")
    assert ask(found, 1).slots == 0
    give_back(found, held)
    assert ask(found, 2).slots == 2


def test_slots_from_many_threads_are_never_more_than_the_limit() -> None:
    found = rules(concurrency=5)
    with ThreadPoolExecutor(12) as pool:
        grants = list(pool.map(lambda _: ask(found, 2), range(40)))
    assert 0 < sum(grant.slots for grant in grants) <= 5


def test_wave_is_told_which_calls_go_and_when_the_others_come_back() -> None:
    found = rules(concurrency=64, rate_limit=RateLimit(per_second=10, burst=5))
    grant = ask(found, 8, calls=30)
    going = [delay_s for delay_s in grant.delays_s if delay_s >= 0]
    later = [-delay_s for delay_s in grant.delays_s if delay_s < 0]
    assert len(going) == 15  # the burst, and what comes within the next second
    assert going == pytest.approx([0] * 5 + [n / 10 for n in range(1, 11)], abs=0.05)
    assert later == pytest.approx([n / 10 for n in range(11, 26)], abs=0.1)
    again = [-delay_s for delay_s in ask(found, 8, calls=5).delays_s]
    assert again == pytest.approx([n / 10 for n in range(26, 31)], abs=0.3)


def test_operation_narrows_the_systems_rate() -> None:
    operation = Operation(method="POST", path="/orders", guard="none", rate_limit=RateLimit(per_minute=60, burst=1))
    found = rules(concurrency=8, rate_limit=RateLimit(per_second=100), operations={"create": operation})
    [grant] = meter.admit([Ask(found, 8, 8, [found.paces_of("create"), found.paces_of("other"), found.paces_of("create"), found.paces_of("create")])])  # fmt: skip
    assert [delay_s >= 0 for delay_s in grant.delays_s] == [True, True, True, False]


def test_requests_take_turns_over_all_callers() -> None:
    found = rules(rate_limit=RateLimit(per_second=10, burst=2))
    waits = [meter.take("erp", found.paces) for _ in range(5)]
    assert waits == pytest.approx([0, 0, 0.1, 0.2, 0.3], abs=0.09)
    slow = rules("slow", rate_limit=RateLimit(per_minute=1))
    assert meter.take("slow", slow.paces) == 0
    assert meter.take("slow", slow.paces) < -25


def test_clocks_of_workers_do_not_matter() -> None:
    found = rules(concurrency=2, rate_limit=RateLimit(per_second=1, burst=1))
    first = ask(found, 2)
    for days in (-3, 3):
        with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True):
            assert ask(found, 2).slots == 0
    give_back(found, first)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3), tick=True):
        assert ask(found, 2).delays_s[0] > 0


def test_window_counts_what_all_workers_saw_and_rolls_on() -> None:
    found = rules(breaker=Breaker(window_s=1))
    for _ in range(3):
        give_back(found, ask(found, 1), calls=10, failures=4, t12=10)
    window = give_back(found, ask(found, 1)).window
    assert (window.calls, window.failures, window.took) == (30, 12, {12: 30})
    polling.until(lambda: give_back(found, ask(found, 1)).window.calls == 0, timeout_s=5, what=lambda: "window")


def test_closing_forgets_the_window() -> None:
    found = rules()
    give_back(found, ask(found, 1), calls=10, failures=10)
    meter.forget(found)
    assert give_back(found, ask(found, 1)).window.calls == 0


def test_asked_to_wait_holds_for_all() -> None:
    found = rules()
    meter.heard([Seen(ask(found, 1), found, {}, quiet_s=0.4)])
    told = ask(found, 1)
    assert (told.slots, 0 < told.quiet_s <= 0.4) == (0, True)
    polling.until(lambda: ask(found, 1).slots == 1, timeout_s=5, what=lambda: "quiet")
