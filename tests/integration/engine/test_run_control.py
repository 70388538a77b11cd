"""What a person says about whether and when a run goes on: retry now, pause, resume, skip, give up; with permission, reason, lineage, audit and count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from exceptions.enums import Resolution
from exceptions.models import Ticket
from meshline.audit.models import AuditEvent
from meshline.kernel.errors import Conflict, Invalid, NotAllowed
from ownership.models import System, User
from syncflows.engine import batch, sweeping
from syncflows.engine.control import acts
from syncflows.engine.control.enums import RunAct
from syncflows.engine.enums import RunStatus, StepStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.enums import HoldReason
from tests.factories import people, records
from tests.integration.engine import deals

SKIPPABLE = (
    "      operation: create_invoice\n      when:",
    "      operation: create_invoice\n      skippable: true\n      when:",
)


@pytest.fixture
def alice(transactional_db: None) -> User:
    return people.alice()


def facts(run: Run) -> list[str]:
    return list(LineageFact.objects.filter(run_id=run.pk).order_by("pk").values_list("kind", flat=True))


def put_off(erp: str, customer_id: str, **asked: int) -> Run:
    """A run that will be tried again much later."""
    deals.fault(erp, "status", path_prefix="/erp/orders", method="POST", count=1, params={"status": 429, **asked})
    run = deals.carry(until=RunStatus.RETRYING, run=deals.run_of(*deals.send(1, customer_id=customer_id)))
    if not asked:
        Run.objects.filter(pk=run.pk).update(due_at=timezone.now() + timedelta(hours=1))
    return run


def test_retry_now_never_undercuts_what_the_system_asked_for(erp: str, customer_id: str, alice: User) -> None:
    run = put_off(erp, customer_id, retry_after=3600)
    with pytest.raises(Conflict, match="asked us to wait until") as refused:
        acts.do(RunAct.RETRY_NOW, run.pk, by=alice)
    assert refused.value.code == "system_closed"


def refused_invoice(erp: str, customer_id: str, number: int = 1) -> Run:
    """A run whose order is written and whose invoice the ERP refuses."""
    deals.fault(erp, "status", path_prefix="/erp/invoices", method="POST", count=1, params={"status": 422})
    return deals.carry(
        until=RunStatus.FAILED, run=deals.run_of(*deals.send(number, customer_id=customer_id, invoice=True))
    )


def test_retry_now_makes_a_run_due_and_leaves_its_trace(erp: str, customer_id: str, alice: User) -> None:
    run = put_off(erp, customer_id)
    done = acts.do(RunAct.RETRY_NOW, run.pk, by=alice, reason="the ERP is well again")
    assert done.due_at <= timezone.now()
    assert (done.status, done.tries, done.human_actions) == (RunStatus.RETRYING, 1, 1)
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert "retry_now" in facts(run)
    act = AuditEvent.objects.get(act="run.retry_now")
    assert (act.object_id, act.reason) == (run.public_id, "the ERP is well again")
    assert len(deals.orders(erp)) == 1


def test_retry_now_restarts_the_budget_where_that_is_asked(erp: str, customer_id: str, alice: User) -> None:
    run = put_off(erp, customer_id)
    done = acts.do(RunAct.RETRY_NOW, run.pk, by=alice, restart_budget=True)
    assert (done.tries, done.first_failed_at) == (0, None)


def test_retry_now_of_a_failed_run_ends_its_ticket(erp: str, customer_id: str, alice: User) -> None:
    run = refused_invoice(erp, customer_id)
    acts.do(RunAct.RETRY_NOW, run.pk, by=alice)
    assert Ticket.objects.get(run=run).resolution == Resolution.REPLAYED
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert (len(deals.orders(erp)), run.human_actions) == (1, 1)


@pytest.mark.parametrize(
    ("status", "hold_reason", "code"),
    [
        (RunStatus.RUNNING, "", "run_is_running"),
        (RunStatus.COMPLETED, "", "run_has_ended"),
        (RunStatus.SUPERSEDED, "", "run_has_ended"),
        (RunStatus.HELD, HoldReason.APPROVAL, "waits_for_decision"),
        (RunStatus.HELD, HoldReason.ACCEPTANCE, "waits_for_decision"),
        (RunStatus.HELD, HoldReason.PAUSED, "paused_already"),
        (RunStatus.HELD, HoldReason.FLOW_OFF, "flow_is_off"),
        (RunStatus.PENDING, "", "due_already"),
    ],
)
def test_retry_now_says_where_it_makes_no_sense(alice: User, status: str, hold_reason: str, code: str) -> None:
    run = records.run(status=status, hold_reason=hold_reason)
    with pytest.raises(Conflict, match=run.public_id if code != "flow_is_off" else None) as refused:
        acts.do(RunAct.RETRY_NOW, run.pk, by=alice)
    assert refused.value.code == code
    unchanged = Run.objects.get(pk=run.pk)
    assert (unchanged.status, unchanged.human_actions, facts(run)) == (status, 0, [])


def test_retry_now_is_refused_while_its_system_takes_no_calls(alice: User) -> None:
    System.objects.create(name="erp", title="ERP", connector="http", state="paused", state_reason="year end")
    run = records.run(status=RunStatus.RETRYING, waits_for="system:erp", due_at=timezone.now() + timedelta(hours=1))
    with pytest.raises(Conflict, match="erp takes no calls .year end."):
        acts.do(RunAct.RETRY_NOW, run.pk, by=alice)


@pytest.mark.parametrize("act", RunAct.values)
def test_who_may_only_look_can_do_nothing(transactional_db: None, act: str) -> None:
    charlie, run = people.charlie(), records.run(status=RunStatus.RETRYING)
    with pytest.raises(NotAllowed):
        acts.do(RunAct(act), run.pk, by=charlie, reason="because")
    assert (Run.objects.get(pk=run.pk).status, AuditEvent.objects.count()) == (RunStatus.RETRYING, 0)


@pytest.mark.parametrize("act", [RunAct.PAUSE, RunAct.SKIP, RunAct.GIVE_UP])
def test_acts_that_stop_something_need_a_reason(alice: User, act: RunAct) -> None:
    with pytest.raises(Invalid, match="reason"):
        acts.do(act, records.run(status=RunStatus.RETRYING).pk, by=alice, reason="  ")


def test_a_paused_run_is_not_carried_until_it_is_resumed(erp: str, customer_id: str, alice: User) -> None:
    run = deals.run_of(*deals.send(1, customer_id=customer_id))
    paused = acts.do(RunAct.PAUSE, run.pk, by=alice, reason="customer called")
    assert (paused.status, paused.hold_reason) == (RunStatus.HELD, HoldReason.PAUSED)
    assert "customer called" in paused.status_reason
    sweeping.sweep()
    assert batch.work() == 0
    assert deals.orders(erp) == []
    acts.do(RunAct.RESUME, run.pk, by=alice)
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert {"paused", "resumed"} <= set(facts(run))
    assert run.human_actions == 2


def test_a_newer_event_waits_behind_a_paused_one_and_says_so(erp: str, customer_id: str, alice: User) -> None:
    deals.define(erp, on_change="update, update: update_order")
    first = deals.run_of(*deals.send(1, customer_id=customer_id, changed="1", notes="one"))
    acts.do(RunAct.PAUSE, first.pk, by=alice, reason="looking into it")
    second = deals.run_of(*deals.send(1, customer_id=customer_id, changed="2", notes="two"))
    other = deals.run_of(*deals.send(2, customer_id=customer_id))
    deals.carry(until=RunStatus.COMPLETED, run=other)
    deals.carry(until=RunStatus.HELD, run=second)
    assert (second.hold_reason, second.waits_for) == (HoldReason.PAUSED, f"run:{first.public_id}")
    assert first.public_id in second.status_reason
    with pytest.raises(Conflict, match=first.public_id):
        acts.do(RunAct.RESUME, second.pk, by=alice)
    acts.do(RunAct.RESUME, first.pk, by=alice)
    deals.carry(until=RunStatus.COMPLETED, run=second)
    first.refresh_from_db()
    assert first.status == RunStatus.COMPLETED
    assert second.steps.get().operation == "update_order", "the paused one was written first"
    assert len(deals.orders(erp)) == 2


def test_giving_up_a_paused_run_lets_the_newer_one_go_on(erp: str, customer_id: str, alice: User) -> None:
    first = deals.run_of(*deals.send(1, customer_id=customer_id, changed="1"))
    acts.do(RunAct.PAUSE, first.pk, by=alice, reason="wrong")
    second = deals.run_of(*deals.send(1, customer_id=customer_id, changed="2"))
    deals.carry(until=RunStatus.HELD, run=second)
    acts.do(RunAct.GIVE_UP, first.pk, by=alice, reason="wrong")
    deals.carry(until=RunStatus.COMPLETED, run=second)


def test_what_waits_behind_a_run_that_went_on_unseen_is_let_go_by_the_sweeper(erp: str, customer_id: str) -> None:
    """It came to wait in the moment in which the one before it was resumed."""
    (event,) = deals.send(1, customer_id=customer_id)
    waiting = deals.run_of(event)
    Run.objects.filter(pk=waiting.pk).update(status="held", hold_reason="paused", waits_for="run:run_gone")
    deals.carry(until=RunStatus.COMPLETED, run=waiting)


def test_skip_goes_on_without_the_failed_step(
    erp: str, customer_id: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deals, "DEFINITIONS", deals.DEFINITIONS.replace(*SKIPPABLE))
    deals.define(erp)
    run = refused_invoice(erp, customer_id)
    acts.do(RunAct.SKIP, run.pk, by=alice, reason="invoiced by hand")
    assert Ticket.objects.get(run=run).resolution == Resolution.SKIPPED
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert "create-invoice skipped" in run.status_reason
    assert run.steps.get(name="create-invoice").status == StepStatus.SKIPPED
    fact = LineageFact.objects.get(run_id=run.pk, kind="skipped")
    assert fact.detail["step"] == "create-invoice"
    assert "invoiced by hand" in fact.summary
    assert (len(deals.orders(erp)), deals.ledger(erp, "invoices")["count"]) == (1, 0)


def test_skip_is_refused_where_the_flow_does_not_allow_it(erp: str, customer_id: str, alice: User) -> None:
    run = refused_invoice(erp, customer_id)
    with pytest.raises(Conflict, match="skippable: true") as refused:
        acts.do(RunAct.SKIP, run.pk, by=alice, reason="no need")
    assert refused.value.code == "not_skippable"
    assert Ticket.objects.get(run=run).resolution == ""


def test_skip_is_refused_while_nobody_knows_whether_it_was_written(
    erp: str, customer_id: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deals, "DEFINITIONS", deals.DEFINITIONS.replace(*SKIPPABLE))
    deals.define(erp)
    run = refused_invoice(erp, customer_id)
    run.steps.filter(name="create-invoice").update(status=StepStatus.UNKNOWN)
    with pytest.raises(Conflict, match="not known yet"):
        acts.do(RunAct.SKIP, run.pk, by=alice, reason="no need")


def test_give_up_leaves_what_was_written_to_somebody(erp: str, customer_id: str, alice: User) -> None:
    run = refused_invoice(erp, customer_id)
    done = acts.do(RunAct.GIVE_UP, run.pk, by=alice, reason="the deal fell through")
    assert (done.status, done.status_reason) == (RunStatus.CANCELLED, "the deal fell through")
    ended, left = Ticket.objects.filter(run=run).order_by("pk")
    assert ended.resolution == Resolution.WRITTEN_OFF
    assert (left.exception_class, left.reason, left.status) == ("partial", "given_up_half_done", "open")
    assert deals.orders(erp)[0]["number"] in left.message


def test_give_up_of_what_wrote_nothing_leaves_no_ticket(erp: str, customer_id: str, alice: User) -> None:
    run = put_off(erp, customer_id)
    acts.do(RunAct.GIVE_UP, run.pk, by=alice, reason="sent by mistake")
    assert not Ticket.objects.filter(run=run).exists()
    sweeping.sweep()
    assert batch.work() == 0


def test_a_flow_that_is_switched_off_holds_its_runs_and_lets_them_go_when_it_is_live(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = deals.run_of(*deals.send(1, customer_id=customer_id))
    on = deals.DEFINITIONS
    off = on.replace("metadata: {name: deals}\nspec:\n", "metadata: {name: deals}\nspec:\n  live: false\n")
    monkeypatch.setattr(deals, "DEFINITIONS", off)
    deals.define(erp)
    deals.carry(until=RunStatus.HELD, run=run)
    assert (run.hold_reason, run.tries) == (HoldReason.FLOW_OFF, 0)
    assert "switched off" in run.status_reason
    assert deals.orders(erp) == []
    monkeypatch.setattr(deals, "DEFINITIONS", on)
    deals.define(erp)
    deals.carry(until=RunStatus.COMPLETED, run=run)
