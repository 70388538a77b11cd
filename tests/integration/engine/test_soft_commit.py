"""Soft commit against a real ERP: staged instead of written, promoted once, superseded by newer events, revoked, adopted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from exceptions.models import Approval, Ticket
from meshline.audit.models import AuditEvent
from meshline.kernel.errors import Conflict, Invalid, NotAllowed
from ownership.enums import SystemState
from ownership.models import System
from syncflows.engine import batch, runs
from syncflows.engine.enums import FactKind, RunStatus, StagedAction, StagedStatus
from syncflows.engine.models import CanonicalRecord, LineageFact, Run, WriteAttempt
from syncflows.engine.soft import acts
from syncflows.engine.soft.models import StagedDocument
from syncflows.enums import HoldReason
from tests.factories import people
from tests.integration.engine import deals, soft_deals


@pytest.fixture
def soft(erp: str) -> str:
    soft_deals.define(erp)
    return erp


def kinds(run: Run) -> list[str]:
    return list(LineageFact.objects.filter(run_id=run.pk).order_by("id").values_list("kind", flat=True))


def promote(*rows: StagedDocument, mode: StagedAction = StagedAction.PROMOTE) -> list[acts.Result]:
    return acts.promote(soft_deals.ids(rows), by=people.alice(), reason="checked", mode=mode)


def test_a_soft_flow_stages_the_document_and_writes_nothing(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id, amount=Decimal("1054.10"))

    [row] = soft_deals.staged(run)
    assert (run.status, run.hold_reason) == (RunStatus.HELD, HoldReason.STAGED)
    assert (row.status, row.reference, row.system) == (StagedStatus.STAGED, "D1", "erp")
    assert (row.amount, row.currency, row.document["total"]) == (Decimal("1054.10"), "USD", "1054.10")
    assert deals.orders(soft) == []
    assert WriteAttempt.objects.count() == 0
    assert Ticket.objects.count() == 0
    assert kinds(run)[-2:] == [FactKind.STAGED, FactKind.HELD]
    assert row.history.count() == 1


def test_staging_needs_no_target(soft: str, customer_id: str) -> None:
    """The books may be closed, or not there yet, while history is brought."""
    System.objects.update_or_create(name="erp", defaults={"state": SystemState.DOWN, "state_reason": "not installed"})
    [run] = soft_deals.send(1, customer_id=customer_id)
    assert run.hold_reason == HoldReason.STAGED


def test_promotion_is_written_by_the_protocol_once(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id)
    [row] = soft_deals.staged(run)

    [result] = promote(row)
    assert result.done
    soft_deals.drain()

    run.refresh_from_db(), row.refresh_from_db()
    assert (run.status, row.status, row.external_id) == (RunStatus.COMPLETED, StagedStatus.PROMOTED, "SO-000001")
    assert [order["external_id"] for order in deals.orders(soft)] == ["D1"]
    after = kinds(run)[kinds(run).index(FactKind.PROMOTED) :]
    assert [kind for kind in after if kind in (FactKind.PROBED, FactKind.SENT, FactKind.ANSWERED, FactKind.COMPLETED)] == [
        FactKind.PROBED, FactKind.SENT, FactKind.ANSWERED, FactKind.COMPLETED,
    ]  # fmt: skip
    assert CanonicalRecord.objects.get(key="D1").external_ids == {"erp": "SO-000001"}
    assert [found.status for found in row.history.order_by("history_id")] == ["staged", "promoting", "promoted"]
    assert AuditEvent.objects.filter(object_id=row.public_id, act="staged_document.promoted").count() == 1


def test_twenty_threads_promote_one_document_and_one_order_is_written(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id)
    [row] = soft_deals.staged(run)
    alice, start = people.alice(), threading.Barrier(20)

    def one(_: int) -> bool:
        start.wait(20)
        try:
            done = acts.promote([row.pk], by=alice, reason="checked")[0].done
            soft_deals.drain()
            return done
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        wins = list(pool.map(one, range(20)))
    soft_deals.drain()

    assert sum(wins) == 1
    assert len(deals.orders(soft)) == 1
    row.refresh_from_db()
    assert row.status == StagedStatus.PROMOTED
    assert len([found for found in Run.objects.get(pk=run.pk).clearances if found["policy"] == "soft-commit"]) == 1


def test_a_worker_that_dies_after_promoting_leaves_it_to_the_next(soft: str, customer_id: str) -> None:
    """Killed between the decision and the write: the lease is given back and the write goes on, once."""
    [run] = soft_deals.send(1, customer_id=customer_id)
    [row] = soft_deals.staged(run)
    promote(row)
    from syncflows.engine import claims

    lease = claims.claim(limit=10)
    assert lease.run_ids == (run.pk,)
    claims.give_back(lease)
    Run.objects.filter(pk=run.pk).update(due_at=timezone.now())
    soft_deals.drain()

    row.refresh_from_db()
    assert row.status == StagedStatus.PROMOTED
    assert len(deals.orders(soft)) == 1


def test_an_answer_lost_after_promotion_is_probed_not_repeated(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id)
    [row] = soft_deals.staged(run)
    deals.fault(soft, "timeout_after_commit", path_prefix="/erp/orders", method="POST", count=1, params={"hang_s": 2})
    promote(row)
    deals.carry(until=RunStatus.COMPLETED, run=run)

    row.refresh_from_db()
    assert row.status == StagedStatus.PROMOTED
    assert len(deals.orders(soft)) == 1


def test_what_somebody_entered_meanwhile_is_adopted_not_doubled(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id)
    number = soft_deals.order(soft, 1, customer_id=customer_id)
    promote(*soft_deals.staged(run))
    soft_deals.drain()

    [row] = soft_deals.staged(run)
    assert (row.status, row.external_id) == (StagedStatus.PROMOTED, number)
    assert len(deals.orders(soft)) == 1
    assert FactKind.SENT not in kinds(run)


def test_a_newer_event_supersedes_the_staged_document(soft: str, customer_id: str) -> None:
    [older] = soft_deals.send(1, customer_id=customer_id, changed="1")
    [newer] = soft_deals.send(1, customer_id=customer_id, changed="2", amount=Decimal("120.00"))

    first, second = soft_deals.staged(older, newer)
    assert (first.status, second.status) == (StagedStatus.SUPERSEDED, StagedStatus.STAGED)
    [result] = promote(first)
    assert (result.done, result.code) == (False, "not_staged")
    promote(second)
    soft_deals.drain()
    assert [order["total"] for order in deals.orders(soft)] == ["120.00"]


def test_a_document_with_a_newer_event_under_way_is_not_promoted(soft: str, customer_id: str) -> None:
    [older] = soft_deals.send(1, customer_id=customer_id, changed="1")
    [event] = deals.send(1, customer_id=customer_id, changed="2", amount=Decimal("120.00"))
    [row] = soft_deals.staged(older)

    [waits] = promote(row)
    assert (waits.code, waits.retryable) == ("newer_event_due", True)
    Run.objects.filter(event=event).update(status=RunStatus.RETRYING)
    [result] = promote(row)

    row.refresh_from_db(), older.refresh_from_db()
    assert result.code == "superseded"
    assert row.status == StagedStatus.SUPERSEDED
    assert older.status == RunStatus.SUPERSEDED
    assert deals.orders(soft) == []


def test_content_that_changed_after_the_decision_is_staged_anew(soft: str, customer_id: str) -> None:
    """The mapping changes between promotion and write: what was decided on is not what would be written."""
    [run] = soft_deals.send(1, customer_id=customer_id)
    promote(*soft_deals.staged(run))
    text = deals.DEFINITIONS
    deals.DEFINITIONS = text.replace("notes: order.notes\n", "notes: \"'changed'\"\n", 1)
    try:
        soft_deals.define(soft)
        soft_deals.drain()
    finally:
        deals.DEFINITIONS = text

    old, new = soft_deals.staged(run)
    assert (old.status, new.status) == (StagedStatus.SUPERSEDED, StagedStatus.STAGED)
    assert new.document["notes"] == "changed"
    assert old.fingerprint != new.fingerprint
    assert deals.orders(soft) == []


def test_revoking_closes_the_record_and_writes_nothing(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id)
    [row] = soft_deals.staged(run)
    alice = people.alice()
    with pytest.raises(Invalid, match="reason"):
        acts.revoke([row.pk], by=alice, reason="  ")
    with pytest.raises(NotAllowed):
        acts.revoke([row.pk], by=people.charlie(), reason="no")

    acts.revoke([row.pk], by=alice, reason="entered twice")
    soft_deals.drain()

    row.refresh_from_db(), run.refresh_from_db()
    assert (row.status, row.status_reason, run.status) == (StagedStatus.REVOKED, "entered twice", RunStatus.CANCELLED)
    assert deals.orders(soft) == []
    assert FactKind.REVOKED in kinds(run)
    assert AuditEvent.objects.filter(object_id=row.public_id, act="staged_document.revoked").exists()


def test_what_is_written_cannot_be_revoked_without_an_undo(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id)
    [row] = soft_deals.staged(run)
    promote(row)
    soft_deals.drain()

    [result] = acts.revoke([row.pk], by=people.alice(), reason="oops")
    assert result.code == "no_undo"
    assert "compensation" in result.problem
    with pytest.raises(Conflict):
        acts.only([result])


def test_closing_the_run_revokes_what_it_staged(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id)
    runs.cancel(run.pk, by=soft_deals.DANA, reason="handled elsewhere")
    assert soft_deals.staged(run)[0].status == StagedStatus.REVOKED


def test_what_the_target_refuses_is_refused_with_a_ticket(soft: str) -> None:
    [run] = soft_deals.send(1, customer_id="nobody")
    promote(*soft_deals.staged(run))
    soft_deals.drain()

    run.refresh_from_db()
    [row] = soft_deals.staged(run)
    assert (run.status, row.status) == (RunStatus.FAILED, StagedStatus.REFUSED)
    assert Ticket.objects.get().run_id == run.pk


def test_later_steps_are_staged_in_turn_and_not_before_the_first(soft: str, customer_id: str) -> None:
    """The invoice names the order's number, so it is staged when there is one."""
    [run] = soft_deals.send(1, customer_id=customer_id, invoice=True)
    promote(*soft_deals.staged(run))
    soft_deals.drain()

    order, invoice = soft_deals.staged(run)
    assert (order.status, invoice.status) == (StagedStatus.PROMOTED, StagedStatus.STAGED)
    assert invoice.document["order_number"] == order.external_id
    promote(invoice)
    soft_deals.drain()
    run.refresh_from_db()
    assert run.status == RunStatus.COMPLETED
    assert deals.ledger(soft, "invoices")["count"] == 1


def test_two_records_with_one_reference_are_a_duplicate_not_a_take_over(soft: str, customer_id: str) -> None:
    [first] = soft_deals.send(1, customer_id=customer_id)
    text = deals.DEFINITIONS
    deals.DEFINITIONS = text.replace("key: payload.deal_id", "key: default(payload, 'record', payload.deal_id)", 1)
    try:
        soft_deals.define(soft)
        [second] = soft_deals.send(1, customer_id=customer_id, record="other")
    finally:
        deals.DEFINITIONS = text

    second.refresh_from_db()
    assert (second.status, soft_deals.staged(second)) == (RunStatus.FAILED, [])
    assert Ticket.objects.get().reason == "reference_already_staged"
    promote(*soft_deals.staged(first))
    soft_deals.drain()
    assert soft_deals.staged(first)[0].status == StagedStatus.PROMOTED


def test_a_policy_is_asked_before_anything_is_staged(soft: str, customer_id: str) -> None:
    [run] = soft_deals.send(1, customer_id=customer_id, list="200.00")
    assert (run.hold_reason, soft_deals.staged(run)) == (HoldReason.APPROVAL, [])
    assert Approval.objects.count() == 1


def test_a_direct_flow_never_asks_the_soft_ledger(erp: str, customer_id: str) -> None:
    """What does not use the feature does not pay for it."""
    deals.send(1, 2, customer_id=customer_id)
    with CaptureQueriesContext(connection) as asked:
        batch.work()
    assert Run.objects.filter(status=RunStatus.COMPLETED).count() == 2
    assert len(asked) > 5
    assert not any('"engine_stageddocument"' in query["sql"] for query in asked)
