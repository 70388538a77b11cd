"""One worker, one ERP: what opens a circuit, what waits for it, which item tries, and how the lane goes on by itself."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from exceptions.models import Ticket
from ownership.enums import Circuit, SystemState
from ownership.models import System
from syncflows.engine import batch, health, sweeping
from syncflows.engine.enums import CircuitEvent, RunStatus
from syncflows.engine.limits import board, circuit, meter, policy, waking
from syncflows.engine.limits.meter import Ask
from syncflows.engine.limits.verdicts import Tally
from syncflows.engine.limits.windows import Window
from syncflows.engine.models import CircuitChange, LineageFact, Run
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from tests import polling
from tests.integration.engine import deals
from tests.integration.engine.limits.conftest import define
from tests.servers.counting import Erp

QUICK = "breaker: {minimum_calls: 8, failure_rate: 0.5, consecutive_outages: 3, open_s: 0.2, open_s_cap: 0.2}"
SLOW = "breaker: {minimum_calls: 8, failure_rate: 0.5, consecutive_outages: 3, open_s: 600, open_s_cap: 600}"


def row() -> System:
    return System.objects.get(name="erp")


def carried(number: int) -> None:
    def arrived() -> bool:
        sweeping.sweep()
        batch.work()
        return Run.objects.filter(status=RunStatus.COMPLETED).count() == number

    said = lambda: str(list(Run.objects.values_list("status", "status_reason", "due_at")[:3]))  # noqa: E731
    polling.until(arrived, timeout_s=30, what=said)


def time_has_come() -> None:
    System.objects.update(retry_at=timezone.now() - timedelta(seconds=1))


def test_refused_documents_open_nothing(erp: Erp) -> None:
    define(erp, QUICK)
    deals.send(*range(20), customer_id="C1")
    erp.says = 422
    batch.work()
    assert Run.objects.filter(status=RunStatus.FAILED).count() == 20
    assert (row().circuit, row().state) == (Circuit.CLOSED, SystemState.UP)
    assert not CircuitChange.objects.exists()


def test_failures_open_it_and_the_lane_goes_on_by_itself_with_every_order_once(erp: Erp) -> None:
    define(erp, QUICK)
    deals.send(*range(20), customer_id="C1")
    erp.says = 500
    batch.work()
    assert (row().circuit, row().state) == (Circuit.OPEN, SystemState.DOWN)
    opened = CircuitChange.objects.get()
    assert (opened.event, opened.numbers["failures"]) == (CircuitEvent.OPENED, 20)
    assert "20 of the last 20 calls failed" in opened.reason
    assert Ticket.objects.filter(subject="system:erp").count() == 1

    erp.says = None
    carried(20)

    assert {reference: len(numbers) for reference, numbers in erp.orders.items()} == {f"D{n}": 1 for n in range(20)}
    assert row().state == SystemState.UP
    assert Ticket.objects.get(subject="system:erp").status == "resolved"
    assert Ticket.objects.count() == 1


def test_while_open_no_call_is_made_and_waiting_costs_no_try_and_no_fact(erp: Erp) -> None:
    define(erp, SLOW)
    erp.says = 500
    deals.send(*range(20), customer_id="C1")
    batch.work()
    calls = len(erp.arrived)
    Run.objects.update(due_at=timezone.now())
    batch.work()
    told, tries = LineageFact.objects.count(), list(Run.objects.order_by("id").values_list("tries", flat=True))
    for _ in range(3):
        Run.objects.update(due_at=timezone.now())
        assert batch.work() == 20
    assert len(erp.arrived) == calls
    assert LineageFact.objects.count() == told
    assert list(Run.objects.order_by("id").values_list("tries", flat=True)) == tries
    assert set(Run.objects.values_list("waits_for", flat=True)) == {"system:erp"}


def test_try_is_a_look_up_of_a_write_whose_outcome_is_unknown(erp: Erp) -> None:
    define(erp, SLOW)
    deals.send(*range(10), customer_id="C1")
    erp.says = 500
    batch.work()
    deals.send(*range(100, 110), customer_id="C1")
    Run.objects.update(due_at=timezone.now())
    time_has_come()
    erp.says, calls = None, len(erp.arrived)

    batch.work()

    assert erp.methods[calls] == "GET"
    assert row().circuit == Circuit.CLOSED


def test_try_is_taken_once_and_again_when_whoever_took_it_has_died(erp: Erp) -> None:
    define(erp, SLOW)
    System.objects.filter(name="erp").update(circuit=Circuit.OPEN, state=SystemState.DOWN)
    time_has_come()
    assert [circuit.try_it("erp", lasts_s=60) for _ in range(3)] == [True, False, False]
    assert row().circuit == Circuit.HALF_OPEN
    time_has_come()
    assert circuit.try_it("erp", lasts_s=60)


def test_closing_wakes_a_few_at_once_and_then_more_and_more(erp: Erp) -> None:
    define(erp, SLOW)
    deals.send(*range(60), customer_id="C1")
    later = timezone.now() + timedelta(hours=1)
    Run.objects.update(status=RunStatus.RETRYING, waits_for=waking.waits_for("erp"), due_at=later)

    health.close("erp", reason="it is well", actor="Alex")

    now = timezone.now()
    waits = sorted((due_at - now).total_seconds() for due_at in Run.objects.values_list("due_at", flat=True))
    by_second = [sum(second - 0.5 <= wait < second + 0.5 for wait in waits) for second in range(4)]
    assert by_second == [4, 8, 16, 32]


def test_runs_that_got_no_slot_are_woken_when_slots_come_back_and_were_no_try(erp: Erp) -> None:
    define(erp, "concurrency: 2")
    rules = policy.of(catalog.current().get(Kind.SYSTEM, "erp"))
    [held] = meter.admit([Ask(rules, 2, 2, [()])])  # another worker's
    events = deals.send(1, 2, customer_id="C1")
    batch.work()
    assert erp.arrived == []
    assert {(run.waits_for, run.tries) for run in Run.objects.all()} == {("system:erp/limit", 0)}
    later = timezone.now() + timedelta(hours=1)
    Run.objects.update(due_at=later)

    other = board.board()
    other.waves["erp"] = board.Wave(rules, held)
    other.release()
    other.save()

    assert not Run.objects.filter(due_at__gte=later).exists()
    batch.work()
    assert len(erp.orders) == len(events)


def test_rate_puts_back_with_an_honest_time_and_counts_no_try(erp: Erp) -> None:
    define(erp, "rate_limit: {per_second: 2, burst: 2}")
    deals.send(*range(12), customer_id="C1")
    batch.work()
    assert len(erp.orders) == 4  # the burst, and what came within the next second
    waiting = Run.objects.filter(status=RunStatus.RETRYING).order_by("due_at")
    assert {(run.waits_for, run.tries) for run in waiting} == {("system:erp/limit", 0)}
    due = [run.due_at for run in waiting]
    gaps_s = [(after - before).total_seconds() for before, after in itertools.pairwise(due)]
    assert gaps_s == pytest.approx([0.5] * 7, abs=0.1)


def test_sweeper_wakes_what_was_put_back_after_the_circuit_had_closed(erp: Erp) -> None:
    define(erp, SLOW)
    deals.send(1, customer_id="C1")
    later = timezone.now() + timedelta(minutes=10)
    Run.objects.update(status=RunStatus.RETRYING, waits_for=waking.waits_for("erp"), due_at=later)
    sweeping.sweep()
    assert Run.objects.get().due_at <= timezone.now() + timedelta(seconds=1)


def test_sweeper_makes_one_due_when_the_time_of_a_try_has_come(erp: Erp) -> None:
    define(erp, SLOW)
    deals.send(*range(5), customer_id="C1")
    later = timezone.now() + timedelta(minutes=10)
    Run.objects.update(status=RunStatus.RETRYING, waits_for=waking.waits_for("erp"), due_at=later)
    System.objects.filter(name="erp").update(circuit=Circuit.OPEN, state=SystemState.DOWN)
    time_has_come()
    sweeping.sweep()
    assert Run.objects.filter(due_at__lte=timezone.now()).count() == 1


def test_person_opens_it_for_a_time_and_pausing_is_ended_by_a_person_only(erp: Erp) -> None:
    define(erp, QUICK)
    rules = policy.of(catalog.current().get(Kind.SYSTEM, "erp"))
    health.open_circuit("erp", reason="they asked us to", actor="Alex", for_s=600)
    assert (row().circuit, row().state) == (Circuit.OPEN, SystemState.DOWN)
    health.pause("erp", reason="month end", actor="Alex")
    circuit.settle(rules, Tally(well=1), Window(), trying=True)
    assert (row().circuit, row().state) == (Circuit.CLOSED, SystemState.PAUSED)
    health.resume("erp", reason="done", actor="Alex")
    assert [(change.event, change.actor) for change in circuit.changes("erp", limit=9)] == [
        (CircuitEvent.RESUMED, "Alex"),
        (CircuitEvent.PAUSED, "Alex"),
        (CircuitEvent.OPENED, "Alex"),
    ]


def test_limits_cost_one_query_a_batch_while_all_is_well(
    erp: Erp, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(erp, "concurrency: 4\nrate_limit: {per_second: 1000}")
    deals.send(*range(3), customer_id="C1")
    batch.work()  # last_ok_at is fresh from here on
    asked: list[int] = []
    boards: list[board.Board] = []
    real = board.Board.save

    def counted(found: board.Board) -> None:
        boards.append(found)
        with django_assert_num_queries(0):
            real(found)

    admit, heard = board.Board.admit, board.Board.heard

    def admitted(found: board.Board, jobs: Any) -> Any:
        with django_assert_num_queries(0):
            asked.append(len(jobs))
            return admit(found, jobs)

    def was_heard(found: board.Board, results: Any) -> None:
        with django_assert_num_queries(0):
            heard(found, results)

    monkeypatch.setattr(board.Board, "save", counted)
    monkeypatch.setattr(board.Board, "admit", admitted)
    monkeypatch.setattr(board.Board, "heard", was_heard)
    deals.send(*range(10, 40), customer_id="C1")
    batch.work()
    assert sum(asked) == 30
    with django_assert_num_queries(1):
        board.board()
    with django_assert_num_queries(1):
        circuit.sweep()
    assert len(erp.orders) == 33


def test_clock_of_a_worker_that_is_wrong_neither_tries_too_often_nor_too_late(erp: Erp) -> None:
    define(erp, SLOW)
    System.objects.filter(name="erp").update(circuit=Circuit.OPEN, state=SystemState.DOWN, retry_at=timezone.now() + timedelta(seconds=60))  # fmt: skip
    for wrong in (timedelta(hours=-2), timedelta(hours=2)):
        with time_machine.travel(timezone.now() + wrong, tick=True):
            assert board.board().rest("erp") is not None
    System.objects.filter(name="erp").update(retry_at=timezone.now())
    for wrong in (timedelta(hours=-2), timedelta(hours=2)):
        with time_machine.travel(timezone.now() + wrong, tick=True):
            assert board.board().rest("erp") is None
