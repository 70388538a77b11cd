"""A run that cannot be finished takes back what it wrote, last first; once, whatever happens on the way; and says what it could not."""

from decimal import Decimal

import httpx
import pytest

from exceptions.models import Ticket
from meshline.audit.models import AuditEvent
from meshline.kernel import actors
from meshline.kernel.errors import Conflict
from syncflows.engine import runs, taking_back
from syncflows.engine.enums import FactKind, RunStatus, StepStatus
from syncflows.engine.models import CanonicalRecord, LineageFact, Run, Step, WriteAttempt
from tests.integration.engine.halves import company

ADA = actors.Actor("user", "usr_ada", "Ada")


def statuses(run: Run) -> dict[str, str]:
    return dict(Step.objects.filter(run=run).order_by("index").values_list("name", "status"))


def states(url: str) -> dict[str, list[str]]:
    """Orders and invoices by status, entitlements by product, of all that is in the books."""
    return {
        "orders": [row["status"] for row in company.books(url, "erp", "orders")],
        "invoices": [row["status"] for row in company.books(url, "erp", "invoices")],
        "entitlements": [row["product"] for row in company.books(url, "desk", "entitlements")],
    }


def test_refused_last_step_takes_back_what_was_written_last_first(url: str) -> None:
    company.refuse(url, "desk", "/tickets")
    [run] = company.win(1)

    company.carry(run, until=RunStatus.COMPENSATED)

    assert states(url) == {"orders": ["cancelled"], "invoices": ["cancelled"], "entitlements": []}
    assert len(company.books(url, "erp", "customers")) == 1
    assert statuses(run) == {
        "customer": "done", "order": "compensated", "invoice": "compensated", "entitlement": "compensated", "tell": "rejected",
        "undo-entitlement": "done", "undo-invoice": "done", "undo-order": "done",
    }  # fmt: skip
    sent = list(
        WriteAttempt.objects.filter(step__run=run, sent_at__isnull=False)
        .order_by("sent_at", "pk")
        .values_list("step__name", flat=True)
    )
    assert sent == [
        "customer",
        "order",
        "invoice",
        "entitlement",
        "tell",
        "undo-entitlement",
        "undo-invoice",
        "undo-order",
    ]


def test_compensated_run_withdraws_its_record_and_tells_in_one_ticket(url: str) -> None:
    company.refuse(url, "desk", "/entitlements")
    [run] = company.win(1)
    company.carry(run, until=RunStatus.COMPENSATED)

    record = CanonicalRecord.objects.get(key="D1")
    assert (record.delivered_at, record.external_ids) == (None, {})
    ticket = Ticket.objects.get(run=run)
    assert (ticket.exception_class, ticket.reason, ticket.amount, ticket.owner.username) == (
        "partial",
        "compensated",
        Decimal("100.00"),
        "ada",
    )
    assert "invoice" in ticket.message
    assert "customer" in ticket.message
    kinds = list(LineageFact.objects.filter(run_id=run.pk).order_by("pk").values_list("kind", flat=True))
    assert kinds.count(FactKind.COMPENSATED) == 3  # order, invoice, the run
    assert kinds.count(FactKind.COMPENSATING) == 1


def test_replay_of_a_compensated_run_writes_everything_anew(url: str) -> None:
    company.refuse(url, "desk", "/entitlements")
    [run] = company.win(1)
    company.carry(run, until=RunStatus.COMPENSATED)
    company.mend(url)

    runs.replay(run.pk, by=ADA, reason="the desk knows the product now")
    company.carry(run, until=RunStatus.COMPLETED)

    assert states(url) == {
        "orders": ["cancelled", "open"],
        "invoices": ["cancelled", "draft"],
        "entitlements": ["SKU-1"],
    }
    assert run.outcome == "SO-000002"
    assert CanonicalRecord.objects.get(key="D1").external_ids["erp"] == "SO-000002"
    assert Ticket.objects.get(run=run).status == "resolved"


def test_second_round_is_taken_back_too_and_an_unanswered_new_order_is_not_taken_for_the_old_one(url: str) -> None:
    company.refuse(url, "desk", "/entitlements")
    [run] = company.win(1)
    company.carry(run, until=RunStatus.COMPENSATED)
    company.fault(url, "erp", "timeout_after_commit", "/orders", count=1, params={"hang_s": 1})
    runs.replay(run.pk, by=ADA, reason="once more")

    company.carry(run, until=RunStatus.COMPENSATED)

    assert states(url) == {
        "orders": ["cancelled", "cancelled"],
        "invoices": ["cancelled", "cancelled"],
        "entitlements": [],
    }


@pytest.mark.parametrize(
    "kind", ["timeout_after_commit", "cut_before_commit", "status_after_commit", "cut_after_commit"]
)
def test_undo_whose_answer_is_lost_is_looked_up_and_never_done_twice(url: str, kind: str) -> None:
    company.refuse(url, "desk", "/tickets")
    params = (
        {"hang_s": 1} if kind == "timeout_after_commit" else {"status": 500} if kind == "status_after_commit" else {}
    )
    for system, path, method in (
        ("erp", "/orders/SO-000001", "POST"),
        ("erp", "/invoices/INV-000001", "POST"),
        ("desk", "/entitlements/", "DELETE"),
    ):
        company.fault(url, system, kind, path, method=method, count=1, params=params)
    [run] = company.win(1)

    company.carry(run, until=RunStatus.COMPENSATED)

    assert states(url) == {"orders": ["cancelled"], "invoices": ["cancelled"], "entitlements": []}
    assert FactKind.PROBED in LineageFact.objects.filter(run_id=run.pk).values_list("kind", flat=True)


def test_undo_retries_by_the_systems_policy(url: str) -> None:
    company.refuse(url, "desk", "/entitlements")
    company.refuse(url, "erp", "/orders/SO-000001", status=503, count=2)
    [run] = company.win(1)

    company.carry(run, until=RunStatus.COMPENSATED)

    assert WriteAttempt.objects.filter(step__name="undo-order").count() == 3


def test_refused_undo_is_a_partial_ticket_with_the_repair_plan_and_can_be_gone_on_with(url: str) -> None:
    company.refuse(url, "desk", "/tickets")
    company.refuse(url, "erp", "/invoices/INV-000001")
    [run] = company.win(1)
    company.carry(run, until=RunStatus.FAILED)

    ticket = Ticket.objects.get(run=run)
    assert (ticket.exception_class, ticket.reason, ticket.step) == ("partial", "undo_refused", "undo-invoice")
    plan = ticket.context["repair"]
    assert [(line["step"], line["external_id"], line["amount"], line["currency"]) for line in plan["written"]][1:] == [
        ("order", "SO-000001", "100.00", "USD"), ("invoice", "INV-000001", "100.00", "USD"),
    ]  # fmt: skip
    assert [line["step"] for line in plan["taken_back"]] == ["entitlement"]
    assert states(url)["orders"] == ["open"]

    company.mend(url)
    taking_back.ask(run.pk, by=ADA, reason="the period is open again")
    company.carry(run, until=RunStatus.COMPENSATED)
    assert states(url) == {"orders": ["cancelled"], "invoices": ["cancelled"], "entitlements": []}
    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution) == ("resolved", "compensated")
    assert not Ticket.objects.exclude(pk=ticket.pk).exists()


def test_person_has_a_parked_run_taken_back_once(url: str) -> None:
    company.define(url, compensate=False)
    company.refuse(url, "desk", "/entitlements")
    [run] = company.win(1)
    company.carry(run, until=RunStatus.FAILED)
    assert Ticket.objects.get(run=run).context["repair"]["missing_from"] == "entitlement"

    taking_back.ask(run.pk, by=ADA, reason="the customer withdrew")
    with pytest.raises(Conflict, match="being taken back already"):
        taking_back.ask(run.pk, by=ADA, reason="again")
    company.carry(run, until=RunStatus.COMPENSATED)

    with pytest.raises(Conflict):
        taking_back.ask(run.pk, by=ADA, reason="again")
    assert states(url) == {"orders": ["cancelled"], "invoices": ["cancelled"], "entitlements": []}
    assert AuditEvent.objects.filter(act="run.compensation_asked", object_id=run.public_id).count() == 1
    assert Ticket.objects.get(run=run).resolution == "compensated"


def test_write_whose_outcome_is_unknown_is_decided_before_anything_is_taken_back(url: str) -> None:
    company.define(url, compensate=False, attempts=2, settle_s=0.1)
    company.fault(url, "erp", "timeout_after_commit", "/invoices", params={"hang_s": 1})
    company.fault(url, "erp", "status", "/invoices", method="GET", params={"status": 500})
    [run] = company.win(1)
    company.carry(run, until=RunStatus.FAILED)
    assert statuses(run)["invoice"] == StepStatus.UNKNOWN
    company.mend(url)

    taking_back.ask(run.pk, by=ADA, reason="not wanted")
    company.carry(run, until=RunStatus.COMPENSATED)

    assert states(url) == {"orders": ["cancelled"], "invoices": ["cancelled"], "entitlements": []}


def test_unknown_write_that_never_arrived_is_not_sent_when_the_run_is_taken_back(url: str) -> None:
    company.define(url, compensate=False, attempts=2, settle_s=0.1)
    company.fault(url, "erp", "cut_before_commit", "/invoices")
    company.fault(url, "erp", "status", "/invoices", method="GET", params={"status": 500})
    [run] = company.win(1)
    company.carry(run, until=RunStatus.FAILED)
    company.mend(url)

    taking_back.ask(run.pk, by=ADA, reason="not wanted")
    company.carry(run, until=RunStatus.COMPENSATED)

    assert states(url) == {"orders": ["cancelled"], "invoices": [], "entitlements": []}


def test_newer_event_waits_until_the_older_one_is_taken_back_and_then_writes_anew(url: str) -> None:
    company.refuse(url, "desk", "/entitlements", count=1)
    company.refuse(url, "erp", "/orders/SO-000001", status=503, count=3)
    [older] = company.win(1, changed="2026-01-01")
    [newer] = company.win(1, changed="2026-01-02", notes="call first")

    company.carry(newer, until=RunStatus.COMPLETED)

    older.refresh_from_db()
    assert older.status == RunStatus.COMPENSATED
    assert older.ended_at < newer.ended_at
    assert [(row["status"], row["notes"]) for row in company.books(url, "erp", "orders")] == [
        ("cancelled", ""),
        ("open", "call first"),
    ]
    assert newer.outcome == "SO-000002"


def test_newer_event_builds_on_nothing_that_is_half_taken_back(url: str) -> None:
    company.refuse(url, "desk", "/entitlements", count=1)
    company.refuse(url, "erp", "/orders/SO-000001")
    [older] = company.win(1, changed="2026-01-01")
    company.carry(older, until=RunStatus.FAILED)
    [newer] = company.win(1, changed="2026-01-02", notes="call first")

    company.carry(newer, until=RunStatus.RETRYING)

    assert "being taken back" in newer.status_reason
    older.refresh_from_db()
    assert older.status == RunStatus.FAILED
    assert [row["status"] for row in company.books(url, "erp", "orders")] == ["open"]


def test_step_that_is_not_required_leaves_a_ticket_and_the_run_complete(url: str) -> None:
    company.define(url, required=False)
    company.refuse(url, "desk", "/tickets", count=1)
    [run] = company.win(1)
    company.carry(run, until=RunStatus.COMPLETED)

    ticket = Ticket.objects.get(run=run)
    assert (ticket.status, ticket.step) == ("open", "tell")
    assert states(url)["orders"] == ["open"]

    runs.replay(run.pk, by=ADA, reason="the desk is well")
    company.carry(run, until=RunStatus.COMPLETED)
    assert len(company.books(url, "desk", "tickets")) == 1
    assert len(company.books(url, "erp", "orders")) == 1
    ticket.refresh_from_db()
    assert ticket.status == "resolved"


def test_customer_from_before_is_left_and_one_of_another_deal_is_shared(url: str) -> None:
    headers = {"Authorization": "Bearer erp-demo-token"}
    httpx.post(
        f"{url}/erp/customers", json={"external_id": "C-1", "name": "Acme"}, headers=headers, trust_env=False
    ).raise_for_status()
    [first], [second] = company.win(1), company.win(2)
    company.carry(first, until=RunStatus.COMPLETED)
    company.carry(second, until=RunStatus.COMPLETED)
    assert len(company.books(url, "erp", "customers")) == 1


def test_many_deals_of_one_new_customer_in_one_batch_make_one_customer(url: str) -> None:
    wins = company.win(*range(8))
    for run in wins:
        company.carry(run, until=RunStatus.COMPLETED)

    assert len(company.books(url, "erp", "customers")) == 1
    assert len(company.books(url, "erp", "orders")) == 8
    assert not LineageFact.objects.filter(kind=FactKind.ERRORED).exists()
