"""Comparisons with a real ERP over HTTP."""

from __future__ import annotations

import threading
from decimal import Decimal

import httpx
import pytest
from django.db import connection

from exceptions.enums import LIVE, Resolution, TicketStatus
from exceptions.models import Ticket
from meshline.kernel.errors import Conflict, Invalid, Missing
from reconciliation import nights, runs
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus, ReconciliationStatus
from reconciliation.models import Discrepancy, ReconciliationRun, Sighting
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import CanonicalRecord, LineageFact, Run
from syncflows.enums import ExceptionClass
from tests.factories import comparisons
from tests.factories.comparisons import FLOW, TESTER, TODAY, compare, counts, deliver


@pytest.fixture
def delivered(customer_id: str) -> str:
    """Five orders that agree."""
    deliver("1", "2", "3", "4", "5", customer_id=customer_id)
    assert Run.objects.filter(status=RunStatus.COMPLETED).count() == 5
    return customer_id


def number_of(erp: httpx.Client, reference: str) -> str:
    return erp.get("/orders", params={"external_id": reference}).json()["items"][0]["number"]


def patch_total(erp: httpx.Client, reference: str, total: str) -> None:
    lines = [{"sku": "KI-1", "quantity": 1, "unit_price": total}]
    erp.patch(f"/orders/{number_of(erp, reference)}", json={"total": total, "lines": lines}).raise_for_status()


def cancel(erp: httpx.Client, reference: str) -> None:
    erp.post(f"/orders/{number_of(erp, reference)}/cancel").raise_for_status()


def only_open() -> Discrepancy:
    return Discrepancy.objects.select_related("ticket__owner").get(status=DiscrepancyStatus.OPEN)


def test_start_finds_nothing_where_both_sides_agree(delivered):
    run = compare()
    assert run.status == ReconciliationStatus.COMPLETED
    assert counts(run) == {"compared": 5, "matched": 5}
    assert run.totals["USD"] == {"ours": "500.00", "theirs": "500.00"} or run.totals["USD"]["ours"] == Decimal("500.00")
    assert not Discrepancy.objects.exists()
    assert not Ticket.objects.exists()


def test_start_with_nothing_on_either_side_compares_nothing(url):
    assert counts(compare()) == {}


def test_one_patched_order_is_exactly_one_difference_with_both_values(delivered, erp):
    patch_total(erp, "opp_3", "90.00")
    run = compare()
    assert counts(run) == {"compared": 5, "matched": 4, "differs": 1, "tickets": 1}
    found = only_open()
    ticket = found.ticket
    assert (found.key, found.kind, found.amount, found.currency) == (
        "opp_3",
        DiscrepancyKind.DIFFERS,
        Decimal(10),
        "USD",
    )
    assert found.fields == [{"name": "total", "ours": "100.00", "theirs": "90.00", "tolerance": "0.00"}]
    assert (ticket.exception_class, ticket.reason, ticket.subject) == (
        ExceptionClass.DRIFT,
        "fields_differ",
        f"discrepancy:{found.public_id}",
    )
    assert ticket.message == f"{found.theirs[0]['id']} is USD 90.00 in ERP, USD 100.00 in our record of order 3."
    assert (ticket.amount, ticket.owner.username, ticket.remedy != "") == (Decimal(10), "dana", True)
    assert ticket.context["ours"]["document"]["total"] == "100.00"
    assert ticket.context["theirs"][0]["document"]["total"] == "90.00"


def test_a_found_discrepancy_is_told_in_the_lineage_of_its_record(delivered, erp):
    patch_total(erp, "opp_3", "90.00")
    run = compare()
    fact = LineageFact.objects.get(kind=FactKind.RECONCILED)
    assert Run.objects.get(pk=fact.run_id).canonical_key == "3"
    assert run.public_id in fact.summary
    patch_total(erp, "opp_3", "100.00")
    compare()
    assert [fact.detail["discrepancy"] for fact in LineageFact.objects.filter(kind=FactKind.RECONCILED)] == [
        only_resolved().public_id
    ] * 2


def only_resolved() -> Discrepancy:
    return Discrepancy.objects.get(status=DiscrepancyStatus.RESOLVED)


def test_the_same_difference_seen_again_keeps_its_discrepancy_and_ticket(delivered, erp):
    patch_total(erp, "opp_3", "90.00")
    first = compare()
    patch_total(erp, "opp_3", "80.00")
    second = compare()
    found = only_open()
    assert counts(second) == counts(first)
    assert (found.first_seen, found.last_seen) == (first, second)
    assert found.amount == Decimal(20)
    assert Ticket.objects.get().times_seen == 2
    assert "USD 80.00" in Ticket.objects.get().message
    assert [Sighting.objects.filter(run=run, kind=DiscrepancyKind.DIFFERS).count() for run in (first, second)] == [1, 1]


def test_what_is_mended_is_resolved_with_its_ticket_by_the_run_that_proves_it(delivered, erp):
    patch_total(erp, "opp_3", "90.00")
    compare()
    patch_total(erp, "opp_3", "100.00")
    run = compare()
    assert counts(run) == {"compared": 5, "matched": 5}
    found = only_resolved()
    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.resolution) == (TicketStatus.RESOLVED, Resolution.RECHECKED)
    assert run.public_id in ticket.resolution_note
    assert run.public_id in found.resolution_note


def test_a_cancelled_order_is_missing_in_the_target_and_the_sentence_says_where_it_went(delivered, erp):
    number = number_of(erp, "opp_2")
    cancel(erp, "opp_2")
    run = compare()
    assert counts(run) == {"compared": 5, "matched": 4, "missing_in_target": 1, "tickets": 1}
    assert (only_open().kind, only_open().amount) == (DiscrepancyKind.MISSING_IN_TARGET, Decimal(100))
    assert number in only_open().ticket.message


def test_a_missing_order_made_again_with_another_amount_is_still_one_ticket(delivered, erp):
    cancel(erp, "opp_2")
    compare()
    erp.post("/orders", json=comparisons.order(delivered, "opp_2", amount="70.00")).raise_for_status()
    run = compare()
    assert counts(run) == {"compared": 5, "matched": 4, "differs": 1, "tickets": 1}
    assert only_open().kind == DiscrepancyKind.DIFFERS
    assert Ticket.objects.get().reason == "fields_differ"


def test_an_order_typed_in_by_hand_is_missing_in_the_source_until_it_is_cancelled(delivered, erp):
    erp.post("/orders", json=comparisons.order(delivered, "opp_99", amount="7.00")).raise_for_status()
    run = compare()
    assert counts(run) == {"compared": 6, "matched": 5, "missing_in_source": 1, "tickets": 1}
    assert (only_open().key, only_open().amount, only_open().ours) == ("opp_99", Decimal(7), None)
    assert "no record of ours explains it" in only_open().ticket.message
    cancel(erp, "opp_99")
    assert counts(compare()) == {"compared": 5, "matched": 5}
    assert Ticket.objects.get().resolution == Resolution.RECHECKED


def test_an_order_without_reference_stands_under_its_own_number(delivered, erp):
    number = erp.post("/orders", json=comparisons.order(delivered, None)).raise_for_status().json()["number"]
    run = compare()
    assert counts(run) == {"compared": 6, "matched": 5, "missing_in_source": 1, "tickets": 1}
    assert only_open().key == number
    assert counts(compare()) == counts(run)
    erp.post(f"/orders/{number}/cancel").raise_for_status()
    assert counts(compare()) == {"compared": 5, "matched": 5}
    assert only_resolved().key == number


def test_an_extra_order_that_left_the_window_is_still_asked_about(delivered, erp):
    erp.post("/orders", json=comparisons.order(delivered, "opp_99", day="2026-11-01")).raise_for_status()
    erp.post("/orders", json=comparisons.order(delivered, None, day="2026-11-01")).raise_for_status()
    compare()
    later = compare(window_days=15)
    assert Discrepancy.objects.filter(status=DiscrepancyStatus.OPEN).count() == 2
    assert later.missing_in_source == 1  # the one that can be looked up; the other stays as it is, and open
    cancel(erp, "opp_99")
    for item in erp.get("/orders", params={"status": "open"}).json()["items"]:
        if item["external_id"] is None:
            erp.post(f"/orders/{item['number']}/cancel").raise_for_status()
    compare(window_days=15)
    assert not Discrepancy.objects.filter(status=DiscrepancyStatus.OPEN).exists()


def test_the_same_order_twice_is_a_duplicate_with_both_numbers(delivered, erp):
    erp.post("/orders", json=comparisons.order(delivered, "opp_4")).raise_for_status()
    run = compare()
    assert counts(run) == {"compared": 5, "matched": 4, "duplicate": 1, "tickets": 1}
    found = only_open()
    assert len({item["id"] for item in found.theirs}) == 2
    assert (found.ticket.exception_class, found.ticket.reason, found.amount) == (
        ExceptionClass.DUPLICATE,
        "found_twice",
        Decimal(100),
    )


def test_records_whose_dates_differ_meet_across_the_windows_edge(customer_id, erp):
    deliver("late", customer_id=customer_id, day="2026-10-22", booked="2026-10-20")  # ours inside, theirs outside
    deliver("early", customer_id=customer_id, day="2026-10-20", booked="2026-10-22")  # the other way round
    assert counts(compare(window_days=30)) == {"compared": 2, "matched": 2}


def test_records_outside_the_window_are_not_judged(customer_id, erp):
    deliver("old", customer_id=customer_id, day="2026-01-10")
    cancel(erp, "opp_old")
    assert counts(compare()) == {}
    assert counts(compare(window_days=400)) == {"compared": 1, "missing_in_target": 1, "tickets": 1}
    assert counts(compare()) == {}
    assert Discrepancy.objects.filter(status=DiscrepancyStatus.OPEN).count() == 1


def test_an_order_of_a_run_that_is_parked_before_its_end_agrees_and_has_one_ticket(customer_id, url):
    httpx.post(
        f"{url}/_control/settings", json={"erp": {"closed_periods": ["2026-11"]}}, trust_env=False
    ).raise_for_status()
    deliver("half", customer_id=customer_id, invoice=True)
    assert Run.objects.get().status == RunStatus.FAILED
    assert counts(compare()) == {"compared": 1, "matched": 1}
    assert Ticket.objects.get().subject.startswith("run:")


def test_an_order_of_a_run_that_is_parked_with_its_outcome_unknown_is_explained(delivered):
    CanonicalRecord.objects.filter(key="4").delete()
    Run.objects.filter(canonical_key="4").update(status=RunStatus.FAILED)
    run = compare()
    assert counts(run) == {"compared": 4, "matched": 4}
    assert run.totals["explained"] == 1


def test_an_order_that_a_parked_run_has_not_written_yet_is_explained(delivered, erp):
    cancel(erp, "opp_4")
    Run.objects.filter(canonical_key="4").update(status=RunStatus.FAILED)
    run = compare()
    assert counts(run) == {"compared": 4, "matched": 4}
    assert run.totals["explained"] == 1


def test_an_order_of_a_run_that_was_closed_after_writing_is_not_explained(delivered):
    CanonicalRecord.objects.filter(key="4").delete()
    Run.objects.filter(canonical_key="4").update(status=RunStatus.CANCELLED)
    assert counts(compare()) == {"compared": 5, "matched": 4, "missing_in_source": 1, "tickets": 1}


def test_a_record_that_is_being_carried_is_not_judged(delivered, erp):
    cancel(erp, "opp_1")
    patch_total(erp, "opp_2", "1.00")
    Run.objects.filter(canonical_key__in=["1", "2"]).update(status=RunStatus.RUNNING)
    run = compare()
    assert counts(run) == {"compared": 3, "matched": 3}
    assert run.totals["in_flight"] == 2


def test_a_target_that_is_down_fails_the_run_and_judges_nothing(delivered, erp, url):
    patch_total(erp, "opp_3", "90.00")
    httpx.post(
        f"{url}/_control/faults", json={"system": "erp", "kind": "status", "params": {"status": 503}}, trust_env=False
    ).raise_for_status()
    run = compare()
    assert run.status == ReconciliationStatus.FAILED
    assert "503" in run.problem
    assert not Discrepancy.objects.exists()
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.reason) == (f"reconciliation:{FLOW}", "comparison_failed")
    httpx.delete(f"{url}/_control/faults", trust_env=False).raise_for_status()
    compare()
    assert not Ticket.objects.filter(subject=f"reconciliation:{FLOW}", status__in=LIVE).exists()


def test_a_target_that_breaks_off_after_a_page_judges_nothing(delivered, url):
    for _ in range(2):
        comparisons.define(url, **{"size: 500": "size: 2"})
    httpx.post(
        f"{url}/_control/faults",
        json={
            "system": "erp",
            "kind": "cut_before_commit",
            "path_prefix": "/orders",
            "method": "GET",
            "probability": 0.6,
            "seed": 3,
        },
        trust_env=False,
    ).raise_for_status()
    run = compare()
    assert run.status == ReconciliationStatus.FAILED
    assert not Discrepancy.objects.exists()


def test_a_renamed_field_fails_the_run_instead_of_a_ticket_for_each_order(delivered, url):
    fault = {"system": "erp", "kind": "rename_field", "params": {"from": "total", "to": "grand_total"}}
    httpx.post(f"{url}/_control/faults", json=fault, trust_env=False).raise_for_status()
    run = compare()
    assert run.status == ReconciliationStatus.FAILED
    assert "cannot be read" in run.problem
    assert "total" in run.problem
    assert not Discrepancy.objects.exists()


def test_a_second_start_says_that_one_is_running(transactional_db, delivered):
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with runs._alone(FLOW):
            holding.set()
            done.wait(10)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert holding.wait(10)
    with pytest.raises(Conflict, match="running already"):
        compare()
    assert not ReconciliationRun.objects.exists()
    done.set()
    other.join()
    assert compare().status == ReconciliationStatus.COMPLETED


def test_concurrent_starts_make_one_comparison_and_no_second_ticket(transactional_db, delivered, erp):
    patch_total(erp, "opp_3", "90.00")
    barrier, outcomes = threading.Barrier(4), []

    def go() -> None:
        barrier.wait(10)
        try:
            outcomes.append(compare().status)
        except Conflict as error:
            outcomes.append(error.code)
        connection.close()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) <= {ReconciliationStatus.COMPLETED, "reconciliation_running"}
    assert ReconciliationStatus.COMPLETED in outcomes
    assert (Discrepancy.objects.count(), Ticket.objects.count()) == (1, 1)


def test_a_run_that_lost_its_process_is_ended_by_the_next_start(url):
    lost = ReconciliationRun.objects.create(
        flow=FLOW,
        system="erp",
        window_from=TODAY,
        window_to=TODAY,
        started_at="2026-11-20T00:00:00Z",
        started_by="tests",
    )
    compare()
    lost.refresh_from_db()
    assert (lost.status, "cut off" in lost.problem) == (ReconciliationStatus.FAILED, True)


def test_start_refuses_an_unknown_flow_a_flow_without_rule_and_an_absurd_window(url):
    with pytest.raises(Missing, match="deals"):
        compare(flow="nonsense")
    with pytest.raises(Invalid, match="1 to"):
        compare(window_days=0)
    comparisons.define(url, rule="")
    with pytest.raises(Invalid, match="Add spec.reconcile"):
        compare()
    assert not ReconciliationRun.objects.exists()


def test_ask_leaves_the_comparison_to_a_worker(delivered, erp):
    patch_total(erp, "opp_3", "90.00")
    run = runs.ask(flow=FLOW, window_days=365, by=TESTER)
    assert run.status == ReconciliationStatus.RUNNING
    for _ in range(2):
        runs.carry(run_id=run.pk, by=TESTER)
    run.refresh_from_db()
    assert (run.status, ReconciliationRun.objects.count()) == (ReconciliationStatus.COMPLETED, 1)


def test_compare_all_goes_on_after_a_flow_that_cannot_be_compared(delivered, url):
    other = {
        "name: deals, title: Deals to orders": "name: broken",
        "system: erp\n    operation: list_orders": "system: gone\n    operation: list_orders",
    }
    gone = {
        "metadata: {name: crm, title: CRM}": "metadata: {name: gone}",
        "spec: {connector: http}": 'spec: {connector: http, base_url: "http://127.0.0.1:9", operations: {list_orders: {method: GET, path: /x, items: answer.items}}}',
    }
    comparisons.define(url, **gone)
    comparisons.define(url, **other)
    made = nights.compare_all(by=TESTER)
    assert [(run.flow, run.status) for run in made] == [
        ("broken", ReconciliationStatus.FAILED),
        (FLOW, ReconciliationStatus.COMPLETED),
    ]


def test_queries_do_not_grow_with_the_number_of_records(delivered, django_assert_max_num_queries, customer_id):
    deliver(*(f"m{number}" for number in range(60)), customer_id=customer_id)
    with django_assert_max_num_queries(45):
        assert compare().matched == 65
