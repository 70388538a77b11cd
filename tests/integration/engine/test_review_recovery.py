"""What breaks in the middle of a batch costs no run, no order twice and no ticket that is not due; nothing goes round for ever."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from exceptions.models import Ticket
from ownership.enums import SystemState
from ownership.models import System
from syncflows.connectors.protocol import Answer
from syncflows.engine import batch, calls, claims, connections, crosswalk, health, recording, resting, sweeping
from syncflows.engine.enums import AttemptStatus, RunStatus
from syncflows.engine.limits import circuit, policy
from syncflows.engine.limits.board import Board
from syncflows.engine.limits.verdicts import Tally
from syncflows.engine.limits.windows import Window
from syncflows.engine.models import CanonicalRecord, LineageFact, Run, WriteAttempt
from syncflows.enums import HoldReason
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from tests.integration.engine import deals


def runs_of(events: list[Any]) -> list[Run]:
    return [deals.run_of(event) for event in events]


def failing_once_for(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, fails: Any) -> None:
    """The database refuses at that point, after everything was written, whenever `fails(argument)`."""
    real = getattr(where, name)

    def broken(argument: Any) -> None:
        real(argument)
        if fails(argument):
            raise ValueError("the database said no")

    monkeypatch.setattr(where, name, broken)


def test_answers_that_could_not_be_written_at_once_are_written_singly_with_their_records(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = deals.send(1, 2, 3, customer_id=customer_id)
    failing_once_for(monkeypatch, recording, "answered", lambda results: len(results) > 1)

    for run in runs_of(events):
        deals.carry(until=RunStatus.COMPLETED, run=run)

    assert sorted(CanonicalRecord.objects.values_list("key", flat=True)) == ["D1", "D2", "D3"]
    for run in runs_of(events):
        assert LineageFact.objects.filter(run_id=run.pk, kind="answered").count() == 1
    assert len(deals.orders(erp)) == 3


def test_one_run_that_cannot_be_written_takes_no_other_with_it(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [bad] = deals.send(1, customer_id=customer_id, amount="1.00", list="100.00")
    good = deals.send(2, 3, customer_id=customer_id, amount="1.00", list="100.00")
    poison = deals.run_of(bad).pk
    failing_once_for(
        monkeypatch,
        resting,
        "apply",
        lambda carries: any(
            carry.run.pk == poison and carry.rest.status == RunStatus.HELD for carry in carries if carry.rest
        ),
    )

    batch.work()

    assert Run.objects.get(pk=poison).status == RunStatus.ERRORED
    assert {run.status for run in runs_of(good)} == {RunStatus.HELD}
    assert Ticket.objects.filter(run_id=poison, exception_class="internal").count() == 1


def test_health_that_cannot_be_saved_stops_no_run(erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(board: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(Board, "save", broken)
    [event] = deals.send(1, customer_id=customer_id)
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))


def test_document_that_never_arrives_ends_in_a_ticket(erp: str, customer_id: str) -> None:
    deals.define(erp, attempts=3, settle_s=0.1)
    deals.fault(erp, "cut_before_commit", path_prefix="/erp/orders", method="POST")
    [event] = deals.send(1, customer_id=customer_id)

    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))

    assert Ticket.objects.get(run=run).reason == "retries_exhausted"
    assert WriteAttempt.objects.filter(step__run=run).count() == 3
    assert deals.orders(erp) == []


def test_waiting_for_a_system_costs_no_tries_and_no_lineage(erp: str, customer_id: str) -> None:
    health.pause("erp", reason="maintenance", actor="Alex")
    [event] = deals.send(1, customer_id=customer_id)
    run = deals.run_of(event)
    batch.work()
    told = LineageFact.objects.filter(run_id=run.pk).count()
    for _ in range(8):
        Run.objects.update(due_at=timezone.now())
        assert batch.work() == 1
    run.refresh_from_db()

    assert (run.status, run.tries) == (RunStatus.RETRYING, 0)
    assert LineageFact.objects.filter(run_id=run.pk).count() == told
    health.resume("erp")
    deals.carry(until=RunStatus.COMPLETED, run=run, timeout_s=5)


def test_pause_by_a_person_is_not_ended_by_a_batch_that_began_before(erp: str, customer_id: str) -> None:
    System.objects.filter(name="erp").update(state=SystemState.DEGRADED, consecutive_failures=1)
    rules = policy.of(catalog.current().get(Kind.SYSTEM, "erp"))
    health.pause("erp", reason="month end", actor="Alex")

    circuit.settle(rules, Tally(well=1), Window(), trying=False)

    assert System.objects.get(name="erp").state == SystemState.PAUSED


def test_system_that_is_down_is_asked_by_one_run_at_a_time(erp: str, customer_id: str) -> None:
    deals.fault(erp, "expire_credential")
    events = deals.send(*range(12), customer_id=customer_id)
    batch.work()
    System.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    Run.objects.update(due_at=timezone.now())
    tried = WriteAttempt.objects.exclude(sent_at=None).count()

    batch.work()

    assert WriteAttempt.objects.exclude(sent_at=None).count() == tried + 1
    httpx.delete(f"{erp}/_control/faults", trust_env=False).raise_for_status()
    System.objects.update(retry_at=timezone.now())
    Run.objects.update(due_at=timezone.now())
    for run in runs_of(events):
        deals.carry(until=RunStatus.COMPLETED, run=run)


def test_time_to_settle_begins_when_we_stopped_listening(erp: str, customer_id: str) -> None:
    """The call may have waited long for its turn: what counts is when its worker was given up."""
    deals.define(erp, settle_s=30)
    [event] = deals.send(1, customer_id=customer_id)
    run = deals.run_of(event)
    deals.fault(erp, "cut_before_commit", path_prefix="/erp/orders", method="POST", count=1)
    batch.work()
    WriteAttempt.objects.update(sent_at=timezone.now() - timedelta(seconds=60))
    Run.objects.update(due_at=timezone.now())

    batch.work()

    run.refresh_from_db()
    assert run.status == RunStatus.RETRYING
    assert deals.orders(erp) == []
    assert WriteAttempt.objects.get().status == AttemptStatus.UNKNOWN


def test_nothing_is_sent_once_the_lease_may_be_somebody_elses(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [event] = deals.send(1, customer_id=customer_id)
    monkeypatch.setattr(claims.Lease, "holds", lambda lease: False)
    batch.work()
    assert deals.orders(erp) == []
    monkeypatch.undo()
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))
    assert len(deals.orders(erp)) == 1


def test_call_that_hangs_is_left_behind(erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deals.define(erp, read_s=10)
    deals.fault(erp, "timeout_after_commit", path_prefix="/erp/orders", method="POST", count=1, params={"hang_s": 8})
    monkeypatch.setattr(calls, "hung_after_s", lambda job: 0.2)
    [event] = deals.send(1, customer_id=customer_id)
    began = time.monotonic()

    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert time.monotonic() - began < 7
    assert len(deals.orders(erp)) == 1


def test_answer_with_a_nul_is_kept(erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = connections.connection(catalog.current().get(Kind.SYSTEM, "erp"))
    real = connector.execute
    monkeypatch.setattr(connector, "execute", lambda call: Answer(real(call).external_id, {"said": "a\x00b"}))
    [event] = deals.send(1, customer_id=customer_id)

    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert run.steps.get().answer == {"said": "a\ufffdb"}


def test_broken_batch_is_given_back_and_not_claimed_at_once(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [event] = deals.send(1, customer_id=customer_id)

    def broken(*args: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(batch, "_decide", broken)
    assert (batch.work(), batch.work()) == (1, 0)
    monkeypatch.undo()
    Run.objects.update(due_at=timezone.now())
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))


def test_run_that_waits_for_a_delivery_is_not_woken_by_the_record_alone(erp: str, customer_id: str) -> None:
    first, second = deals.send(1, 2, customer_id=customer_id)
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(first))
    crosswalk.learn(entity="order", key="D1", names=[("crm", "D1")], by="tests")
    wait = crosswalk.waits_for("order", "crm", "D1", target="wms")
    Run.objects.filter(event=second).update(status=RunStatus.HELD, hold_reason=HoldReason.DEPENDENCY, waits_for=wait)

    assert sweeping.release_resolved() == 0
    CanonicalRecord.objects.filter(key="D1").update(external_ids={"erp": "1", "wms": "2"})
    assert sweeping.release_resolved() == 1


def test_names_that_nobody_answers_to_do_not_hide_the_others(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "WAITS_LOOKED_AT", 1)
    monkeypatch.setattr(sweeping, "_looked_at", [""])
    first, never, ready = deals.send(1, 2, 3, customer_id=customer_id)
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(first))
    crosswalk.learn(entity="order", key="D1", names=[("crm", "D1")], by="tests")
    for event, value in ((never, "A never"), (ready, "D1")):
        wait = crosswalk.waits_for("order", "crm", value)
        Run.objects.filter(event=event).update(status=RunStatus.HELD, hold_reason=HoldReason.DEPENDENCY, waits_for=wait)

    assert [sweeping.release_resolved() for _ in range(2)] == [0, 1]
