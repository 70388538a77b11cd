"""The write protocol against an ERP that is not idempotent: nothing twice, nothing lost, everything explained."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.db import transaction
from django.utils import timezone

from exceptions.models import Ticket
from meshline.kernel import actors
from meshline.kernel.errors import Conflict, Invalid
from ownership.enums import SystemState
from ownership.models import System
from syncflows.engine import batch, claims, loading, plans, runs, stages
from syncflows.engine.crosswalk import Lookups
from syncflows.engine.enums import AttemptStatus, FactKind, RunStatus, StepStatus
from syncflows.engine.models import CanonicalRecord, LineageFact, Run, Step, WriteAttempt
from syncflows.governance import catalog
from tests import polling
from tests.integration.engine import deals

DANA = actors.Actor("user", "usr_dana", "Dana")


def kinds(run: Run) -> list[str]:
    return list(LineageFact.objects.filter(run_id=run.pk).order_by("id").values_list("kind", flat=True))


def test_work_carries_an_event_to_one_order(erp: str, customer_id: str) -> None:
    [event] = deals.send(1, customer_id=customer_id, amount=Decimal("1054.10"))

    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert [order["external_id"] for order in deals.orders(erp)] == ["D1"]
    assert deals.ledger(erp)["sum"] == {"USD": "1054.10"}
    assert run.outcome == "SO-000001"
    record = CanonicalRecord.objects.get(key="D1")
    assert (record.amount, record.currency, record.external_ids) == (Decimal("1054.10"), "USD", {"erp": "SO-000001"})
    assert kinds(run) == ["contract", "canonical", "policy", "plan", "sent", "answered", "completed"]


def test_timeout_after_commit_is_probed_and_adopted(erp: str, customer_id: str) -> None:
    deals.fault(erp, "timeout_after_commit", path_prefix="/erp/orders", method="POST", count=1, params={"hang_s": 3})
    [event] = deals.send(1, customer_id=customer_id)

    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert len(deals.orders(erp)) == 1
    assert FactKind.PROBED in kinds(run)
    assert WriteAttempt.objects.get().status == AttemptStatus.ACKNOWLEDGED


def test_cut_before_commit_is_sent_again_only_after_settling(erp: str, customer_id: str) -> None:
    deals.fault(erp, "cut_before_commit", path_prefix="/erp/orders", method="POST", count=1)
    [event] = deals.send(1, customer_id=customer_id)

    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert len(deals.orders(erp)) == 1
    first, second = WriteAttempt.objects.filter(step__run=run)
    assert (first.status, second.status) == (AttemptStatus.NOT_SENT, AttemptStatus.ACKNOWLEDGED)
    assert second.intended_at - first.sent_at >= timedelta(seconds=0.3)  # type: ignore[operator]


def test_error_answer_after_commit_makes_no_second_order(erp: str, customer_id: str) -> None:
    deals.fault(erp, "status_after_commit", path_prefix="/erp/orders", method="POST", count=1, params={"status": 500})
    [event] = deals.send(1, customer_id=customer_id)

    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert len(deals.orders(erp)) == 1


def test_reference_found_twice_is_a_duplicate_ticket(erp: str, customer_id: str) -> None:
    deals.fault(erp, "timeout_after_commit", path_prefix="/erp/orders", method="POST", count=1, params={"hang_s": 3})
    [event] = deals.send(1, customer_id=customer_id)
    run = deals.run_of(event)
    batch.work()
    body = {
        "external_id": "D1",
        "customer_id": customer_id,
        "currency": "USD",
        "order_date": "2026-11-20",
        "lines": [{"sku": "X", "quantity": "1", "unit_price": "5.00"}],
        "total": "5.00",
    }
    httpx.post(
        f"{erp}/erp/orders", json=body, headers={"Authorization": "Bearer erp-demo-token"}, trust_env=False
    ).raise_for_status()

    run = deals.carry(until=RunStatus.FAILED, run=run)

    ticket = Ticket.objects.get(run=run)
    assert (ticket.exception_class, ticket.reason) == ("duplicate", "reference_found_twice")
    assert "SO-000001" in ticket.message
    assert "SO-000002" in ticket.message
    assert len(deals.orders(erp)) == 2  # ours and the stranger's; we wrote one


def test_second_event_with_other_content_updates_or_is_refused(erp: str, customer_id: str) -> None:
    [first] = deals.send(1, customer_id=customer_id, changed="2026-01-01")
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(first))
    [second] = deals.send(1, customer_id=customer_id, changed="2026-01-02", notes="call before delivery")
    run = deals.run_of(second)

    deals.carry(until=RunStatus.FAILED, run=run)
    ticket = Ticket.objects.get(run=run)
    assert (ticket.exception_class, ticket.reason) == ("duplicate", "reference_already_written")
    assert ticket.context["written"]["notes"] == ""
    assert ticket.context["wanted"]["notes"] == "call before delivery"

    deals.define(erp, on_change="update, update: update_order")
    runs.replay(run.pk, by=DANA, reason="the flow updates now")
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert [order["notes"] for order in _full(erp)] == ["call before delivery"]
    ticket.refresh_from_db()
    assert ticket.status == "resolved"


def test_same_content_again_is_adopted(erp: str, customer_id: str) -> None:
    [first] = deals.send(1, customer_id=customer_id, changed="2026-01-01")
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(first))
    [second] = deals.send(1, customer_id=customer_id, changed="2026-01-02")

    run = deals.carry(until=RunStatus.IGNORED, run=deals.run_of(second))

    assert len(deals.orders(erp)) == 1
    assert "Nothing changed" in run.status_reason
    assert run.outcome == "SO-000001"
    assert FactKind.ADOPTED in kinds(run)
    assert not WriteAttempt.objects.filter(step__run=run).exists()


def test_late_older_event_is_superseded(erp: str, customer_id: str) -> None:
    [newer] = deals.send(1, customer_id=customer_id, changed="2026-01-02", amount=Decimal("200.00"))
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(newer))
    [older] = deals.send(1, customer_id=customer_id, changed="2026-01-01", amount=Decimal("100.00"))

    run = deals.carry(until=RunStatus.SUPERSEDED, run=deals.run_of(older))

    assert deals.ledger(erp)["sum"] == {"USD": "200.00"}
    assert "arrived late" in run.status_reason
    with pytest.raises(Conflict):
        runs.replay(run.pk, by=DANA, reason="again")


def test_newer_event_supersedes_a_held_one_and_voids_its_approval(erp: str, customer_id: str) -> None:
    [older] = deals.send(1, customer_id=customer_id, changed="2026-01-01", amount=Decimal("50.00"), list="100.00")
    held = deals.carry(until=RunStatus.HELD, run=deals.run_of(older))
    [newer] = deals.send(1, customer_id=customer_id, changed="2026-01-02", amount=Decimal("95.00"), list="100.00")

    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(newer))

    held.refresh_from_db()
    assert held.status == RunStatus.SUPERSEDED
    assert held.approvals.get().status == "void"
    assert Ticket.objects.get(run=held).status == "resolved"
    assert deals.ledger(erp)["sum"] == {"USD": "95.00"}


def test_refused_later_step_is_partial_and_replays_from_there(erp: str, customer_id: str) -> None:
    settings = {"erp": {"closed_periods": ["2026-10"]}}
    httpx.post(f"{erp}/_control/settings", json=settings, trust_env=False).raise_for_status()
    deals.fault(erp, "status", path_prefix="/erp/invoices", method="POST", count=1, params={"status": 422})
    [event] = deals.send(1, customer_id=customer_id, invoice=True)

    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    ticket = Ticket.objects.get(run=run)
    assert (ticket.exception_class, ticket.step) == ("partial", "create-invoice")
    assert ticket.context["done"] == [{"step": "create-order", "external_id": "SO-000001"}]

    runs.replay(run.pk, by=DANA, reason="the tax code was mended", from_step="create-invoice")
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert len(deals.orders(erp)) == 1
    assert deals.ledger(erp, "invoices")["count"] == 1
    assert Ticket.objects.get(pk=ticket.pk).status == "resolved"


def test_ignored_newer_event_leaves_half_an_order_to_its_ticket(erp: str, customer_id: str) -> None:
    deals.fault(erp, "status", path_prefix="/erp/invoices", method="POST", params={"status": 422})
    [half] = deals.send(1, customer_id=customer_id, invoice=True, changed="2026-01-01")
    [held] = deals.send(2, customer_id=customer_id, amount=Decimal("50.00"), list="100.00", changed="2026-01-01")
    deals.carry(until=RunStatus.FAILED, run=deals.run_of(half))
    deals.carry(until=RunStatus.HELD, run=deals.run_of(held))

    for event in deals.send(1, 2, customer_id=customer_id, stage="open", changed="2026-01-02"):
        deals.carry(until=RunStatus.IGNORED, run=deals.run_of(event))

    assert deals.run_of(half).status == RunStatus.FAILED
    assert Ticket.objects.get(run=deals.run_of(half)).status == "open"
    assert deals.run_of(held).status == RunStatus.SUPERSEDED
    assert Ticket.objects.get(run=deals.run_of(held)).status == "resolved"


def test_rate_limit_honours_retry_after(erp: str, customer_id: str) -> None:
    deals.fault(
        erp, "status", path_prefix="/erp/orders", method="POST", count=1, params={"status": 429, "retry_after": 2}
    )
    [event] = deals.send(1, customer_id=customer_id)
    run = deals.run_of(event)

    batch.work()

    run.refresh_from_db()
    assert run.status == RunStatus.RETRYING
    assert run.due_at > timezone.now() + timedelta(seconds=1)
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert len(deals.orders(erp)) == 1


def test_retries_run_out_into_a_ticket_with_a_clock(erp: str, customer_id: str) -> None:
    deals.define(erp, attempts=3)
    deals.fault(erp, "status", path_prefix="/erp/orders", method="POST", params={"status": 503})
    [event] = deals.send(1, customer_id=customer_id)

    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))

    ticket = Ticket.objects.get(run=run)
    assert (ticket.exception_class, ticket.reason, ticket.amount) == (
        "transient",
        "retries_exhausted",
        Decimal("100.00"),
    )
    assert ticket.due_at > timezone.now()
    assert ticket.queue_id
    assert run.tries == 3
    assert deals.orders(erp) == []


def test_refused_credential_is_one_outage_ticket_and_ends_by_itself(erp: str, customer_id: str) -> None:
    deals.fault(erp, "expire_credential")
    events = deals.send(*range(20), customer_id=customer_id)
    batch.work()
    batch.work()

    system = System.objects.get(name="erp")
    assert system.state == SystemState.DOWN
    assert Ticket.objects.filter(exception_class="outage").count() == 1
    assert not Ticket.objects.filter(run__isnull=False).exists()

    httpx.delete(f"{erp}/_control/faults", trust_env=False).raise_for_status()
    Run.objects.update(due_at=timezone.now())
    System.objects.update(retry_at=timezone.now())
    for event in events:
        deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))
    assert Ticket.objects.get(exception_class="outage").status == "resolved"
    assert len(deals.orders(erp)) == 20


def test_attempt_that_was_intended_and_never_sent_is_sent(erp: str, customer_id: str) -> None:
    """As after a kill between the two commits."""
    [event] = deals.send(1, customer_id=customer_id)
    run = deals.run_of(event)
    _crash_before_answer(run, attempt=AttemptStatus.INTENDED)

    deals.carry(until=RunStatus.COMPLETED, run=run)

    assert len(deals.orders(erp)) == 1
    assert [found.status for found in WriteAttempt.objects.all()] == [
        AttemptStatus.NOT_SENT,
        AttemptStatus.ACKNOWLEDGED,
    ]


def test_attempt_that_was_sent_and_not_answered_waits_for_settling(erp: str, customer_id: str) -> None:
    """As after a kill while the request was under way: a far side that is slow must not be asked twice."""
    deals.define(erp, settle_s=3)
    [event] = deals.send(1, customer_id=customer_id)
    run = deals.run_of(event)
    _crash_before_answer(run, attempt=AttemptStatus.SENT, sent_at=timezone.now())

    batch.work()

    run.refresh_from_db()
    assert run.status == RunStatus.RETRYING
    assert deals.orders(erp) == []
    deals.carry(until=RunStatus.COMPLETED, run=run)
    assert len(deals.orders(erp)) == 1


def test_expired_lease_is_given_back_and_its_late_worker_writes_nothing(erp: str, customer_id: str) -> None:
    [event] = deals.send(1, customer_id=customer_id)
    lease = claims.claim(limit=5)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert claims.give_back_expired() == 1
    with transaction.atomic():
        assert claims.still_ours(lease, list(lease.run_ids)) == []
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))
    assert len(deals.orders(erp)) == 1


def test_replay_needs_a_reason_and_a_known_step(erp: str, customer_id: str) -> None:
    [event] = deals.send(1, customer_id="nobody")
    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    for values in ({"reason": " "}, {"reason": "again", "from_step": "create-moon"}):
        with pytest.raises(Invalid):
            runs.replay(run.pk, by=DANA, **values)  # type: ignore[arg-type]
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED


def test_corrected_payload_goes_through_contract_and_policy_again(erp: str, customer_id: str) -> None:
    [event] = deals.send(1, customer_id="nobody", amount=Decimal("100.00"))
    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))

    fixed = {**event.payload, "customer_id": customer_id}
    runs.replay(run.pk, by=DANA, reason="right customer", payload=fixed)
    run = deals.carry(until=RunStatus.COMPLETED, run=run)

    [corrected] = LineageFact.objects.filter(run_id=run.pk, kind=FactKind.CORRECTED)
    assert corrected.detail["changes"] == [
        {"path": "customer_id", "before": "nobody", "after": customer_id, "kind": "changed"}
    ]
    event.refresh_from_db()
    assert event.payload["customer_id"] == "nobody"
    assert Step.objects.get(run=run).status == StepStatus.DONE
    assert Ticket.objects.get(run=run).status == "resolved"


def test_two_runs_of_one_record_never_run_at_once(erp: str, customer_id: str) -> None:
    deals.send(1, customer_id=customer_id, changed="2026-01-01")
    deals.send(1, customer_id=customer_id, changed="2026-01-02")
    first = claims.claim(limit=10)
    second = claims.claim(limit=10)

    assert (len(first.run_ids), len(second.run_ids)) == (1, 0)
    assert Run.objects.get(pk=first.run_ids[0]).sequence == "2026-01-01"


def _crash_before_answer(run: Run, *, attempt: str, sent_at: object = None) -> None:
    lease = claims.claim(limit=1)
    [carry] = loading.load(lease, catalog.current())
    stages.prepare(carry, newest=None, lookups=Lookups(catalog.current()))
    [step] = carry.steps
    step.status = StepStatus.INTENDED if attempt == AttemptStatus.INTENDED else StepStatus.SENT
    step.save()
    assert not plans.is_late(step)
    WriteAttempt.objects.create(
        step=step, number=1, status=attempt, lease_owner="dead", intended_at=timezone.now(), sent_at=sent_at
    )  # type: ignore[misc]
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.give_back_expired()


def _full(url: str) -> list[dict[str, str]]:
    answer = httpx.get(f"{url}/erp/orders", headers={"Authorization": "Bearer erp-demo-token"}, trust_env=False)
    return list(answer.json()["items"])


def test_polling_gives_up() -> None:
    with pytest.raises(AssertionError, match="never"):
        polling.until(lambda: False, timeout_s=0.05, what="never")
