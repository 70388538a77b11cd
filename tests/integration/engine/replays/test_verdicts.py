"""What a preview says of each record: the verdict, the document and the difference to what the target holds; and that it writes nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ownership.enums import SystemState
from ownership.models import System, User
from syncflows.engine import batch, connections
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from syncflows.engine.replays import ahead, jobs
from syncflows.engine.replays.ahead import Asked
from syncflows.engine.replays.enums import ReplayStatus, ReplayVerdict
from syncflows.engine.replays.jobs import How
from syncflows.governance import catalog as definitions
from tests.factories import people
from tests.integration.engine import deals
from tests.integration.engine.replays import again
from tests.servers import counting_proxy

V = ReplayVerdict
UPDATES = "update, update: update_order"


@pytest.fixture
def alice(transactional_db: None) -> User:
    return people.alice()


def failed(number: int, customer_id: str, **values: object) -> Run:
    """A run that the ERP refused, of a customer it does not know."""
    [event] = deals.send(number, customer_id="nobody", **values)
    return deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))


def completed(number: int, customer_id: str, **values: object) -> Run:
    [event] = deals.send(number, customer_id=customer_id, **values)
    return deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))


def test_each_verdict_and_nothing_is_written(erp: str, customer_id: str, alice: User) -> None:
    create = failed(1, customer_id)
    nothing = completed(2, customer_id)
    [event] = deals.send(3, customer_id=customer_id, list="200.00")
    held = deals.carry(until=RunStatus.HELD, run=deals.run_of(event))
    [event] = deals.send(4, customer_id=customer_id, stage="lost")
    broken = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    deals.define(erp, on_change=UPDATES)
    older = completed(5, customer_id, changed="2026-01-01")
    newer = completed(5, customer_id, changed="2026-01-02", notes="newer")
    with counting_proxy.running(erp) as proxy:
        deals.define(proxy.url, on_change=UPDATES)
        before, books = again.contents(), deals.orders(erp)

        job = again.previewed(create, nothing, held, broken, older, by=alice)

        assert job.status == ReplayStatus.PREVIEWED
        assert again.contents() == before
        assert deals.orders(erp) == books
        assert proxy.writes == 0
        assert proxy.counted["GET /erp/orders"] == 3
    assert again.verdicts(job) == [V.CREATE, V.NOTHING, V.HELD, V.FAIL, V.REFUSED]
    assert "D1 would be created in erp" in again.item(job, create).verdict_reason
    assert again.item(job, held).detail["hold_reason"] == "approval"
    assert again.item(job, broken).detail["class"] == "data_quality"
    assert again.item(job, broken).detail["reason"] == "contract_violation"
    refused = again.item(job, older)
    assert refused.detail["newer_run"] == newer.public_id
    assert {"path": "notes", "before": "newer", "after": "", "kind": "changed"} in refused.detail["overwrites"]


def test_a_document_that_stands_is_compared_field_by_field(erp: str, customer_id: str, alice: User) -> None:
    run = completed(1, customer_id, notes="as it was")
    headers = {"Authorization": "Bearer erp-demo-token"}
    httpx.patch(
        f"{erp}/erp/orders/{run.outcome}", json={"notes": "edited by hand"}, headers=headers, trust_env=False
    ).raise_for_status()

    [step] = again.item(again.previewed(run, by=alice), run).steps

    assert (step["does"], step["external_id"], step["holds"]) == ("nothing", "SO-000001", "SO-000001")
    changed = [row for row in step["difference"] if row["kind"] == "changed"]
    assert changed == [{"path": "notes", "ours": "as it was", "theirs": "edited by hand", "kind": "changed"}]
    assert step["same"] >= 4


def test_would_update_by_the_flow_that_updates(erp: str, customer_id: str, alice: User) -> None:
    run = completed(1, customer_id)
    deals.define(erp, on_change=UPDATES)
    patch = {"kind": "merge", "document": {"notes": "call first"}}

    assert again.verdicts(again.previewed(run, by=alice, correction=patch)) == [V.UPDATE]
    deals.define(erp, on_change="duplicate")
    job = again.previewed(run, by=alice, correction=patch)
    assert again.verdicts(job) == [V.FAIL]
    assert again.item(job, run).detail["class"] == "duplicate"
    deals.define(erp, on_change="ignore")
    assert again.verdicts(again.previewed(run, by=alice, correction=patch)) == [V.NOTHING]


def test_an_unreachable_target_is_said_and_the_preview_still_tells(erp: str, customer_id: str, alice: User) -> None:
    runs = [failed(number, customer_id) for number in (1, 2)]
    deals.define("http://127.0.0.1:9")

    job = again.previewed(*runs, by=alice)

    assert again.verdicts(job) == [V.CREATE, V.CREATE]
    [step] = again.item(job, runs[0]).steps
    assert step["problem"]
    assert not step["asked"]
    assert step["document"]["external_id"] == "D1"


def test_a_paused_target_is_not_asked(erp: str, customer_id: str, alice: User) -> None:
    run = failed(1, customer_id)
    System.objects.filter(name="erp").update(state=SystemState.PAUSED, state_reason="month end")
    with counting_proxy.running(erp) as proxy:
        deals.define(proxy.url)
        job = again.previewed(run, by=alice)
        assert not proxy.counted
    assert "month end" in again.item(job, run).steps[0]["problem"]


def test_a_document_made_by_hand_is_pointed_out(erp: str, customer_id: str, alice: User) -> None:
    run = failed(1, customer_id)
    document = {**again.item(again.previewed(run, by=alice), run).steps[0]["document"], "customer_id": customer_id}
    headers = {"Authorization": "Bearer erp-demo-token"}
    httpx.post(f"{erp}/erp/orders", json=document, headers=headers, trust_env=False).raise_for_status()

    [step] = again.item(again.previewed(run, by=alice), run).steps

    assert step["holds"] == "SO-000001"
    assert "already" in step["problem"]


def test_what_is_running_or_due_is_refused(erp: str, customer_id: str, alice: User) -> None:
    [event] = deals.send(1, customer_id=customer_id)
    job = again.previewed(deals.run_of(event), by=alice)
    assert again.verdicts(job) == [V.REFUSED]
    assert "due" in again.item(job, deals.run_of(event)).verdict_reason


def test_then_and_current_versions(erp: str, customer_id: str, alice: User) -> None:
    run = failed(1, customer_id, notes="plain")
    text = deals.DEFINITIONS
    try:
        deals.DEFINITIONS = text.replace(
            "notes: default(payload, 'notes', '')", "notes: upper(default(payload, 'notes', ''))"
        )
        deals.define(erp)
    finally:
        deals.DEFINITIONS = text

    now = again.item(again.previewed(run, by=alice), run)
    then = again.item(again.previewed(run, by=alice, versions="then"), run)

    assert (now.canonical["notes"], then.canonical["notes"]) == ("PLAIN", "plain")
    assert then.detail["versions"] == ["deals 1", "crm-deal 1", "deal-order 1", "discounts 1"]
    assert "assumed" not in then.detail


def test_versions_of_a_run_that_broke_its_contract_are_those_in_force_then(
    erp: str, customer_id: str, alice: User
) -> None:
    [event] = deals.send(1, customer_id=customer_id, stage="lost")
    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    then = again.item(again.previewed(run, by=alice, versions="then"), run)
    assert then.verdict == V.FAIL
    assert then.detail["assumed"] == ["deal-order", "discounts"]


def test_from_a_step_only_where_those_before_are_done(erp: str, customer_id: str, alice: User) -> None:
    deals.fault(erp, "status", path_prefix="/erp/invoices", method="POST", count=1, params={"status": 422})
    [event] = deals.send(1, customer_id=customer_id, invoice=True)
    partial = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    unbegun = failed(2, customer_id, invoice=True)

    job = again.previewed(partial, unbegun, by=alice, from_step="create-invoice")

    assert again.verdicts(job) == [V.CREATE, V.REFUSED]
    assert "create-order comes before create-invoice" in again.item(job, unbegun).verdict_reason
    order, invoice = again.item(job, partial).steps
    assert (order["does"], invoice["does"]) == ("nothing", "create")
    assert invoice["document"]["order_number"] == "SO-000001"


def test_corrections_that_do_not_fit_are_said_of_the_record(erp: str, customer_id: str, alice: User) -> None:
    run = failed(1, customer_id)

    def verdict(kind: str, document: dict[str, object]) -> tuple[str, str]:
        found = again.item(again.previewed(run, by=alice, correction={"kind": kind, "document": document}), run)
        return found.verdict, found.verdict_reason

    assert verdict("merge", {"customer_id": customer_id})[0] == V.CREATE
    found, why = verdict("merge", {"amount": None})
    assert (found, "amount is missing" in why) == (V.FAIL, True)
    found, why = verdict("merge", {"deal_id": "D9"})
    assert (found, "would turn D1 into D9" in why) == (V.REFUSED, True)
    assert (
        verdict("expressions", {"customer_id": f"'{customer_id}'", "amount": "mul(payload.amount, '2')"})[0] == V.CREATE
    )
    found, why = verdict("expressions", {"amount": "10.5"})
    assert (found, "binary number" in why) == (V.REFUSED, True)
    assert verdict("expressions", {"amount": "payload.nowhere"})[0] == V.REFUSED


def test_the_target_is_asked_side_by_side_within_its_limit(erp: str, customer_id: str, alice: User) -> None:
    events = deals.send(*range(1, 41), customer_id="nobody", amount=Decimal("5.00"))
    runs = [deals.run_of(event) for event in events]
    deadline = timezone.now() + timedelta(seconds=20)
    while Run.objects.exclude(status=RunStatus.FAILED).exists() and timezone.now() < deadline:
        batch.work()
    with counting_proxy.running(erp) as proxy:
        deals.define(proxy.url)
        job = again.previewed(*runs, by=alice)
        assert proxy.counted["GET /erp/orders"] == 40
        assert 1 < proxy.most_at_once <= 8
    assert set(again.verdicts(job)) == {V.CREATE}
    connections.close_all()


def test_a_preview_needs_the_right_to_replay(erp: str, customer_id: str) -> None:
    run = failed(1, customer_id)
    with pytest.raises(Exception, match="may not correct and replay"):
        jobs.ask({"ids": [run.public_id]}, How(), by=people.charlie(), reason="curious")


def test_looking_ahead_costs_a_fixed_number_of_queries(erp: str, customer_id: str, alice: User) -> None:
    """Whatever the number of records on a page."""
    deals.send(*range(1, 31), customer_id="nobody")
    Run.objects.update(status=RunStatus.FAILED)
    found = list(Run.objects.select_related("event").order_by("pk"))
    asked, catalog = Asked(), definitions.current()
    numbers = []
    for some in (found[:2], found):
        with CaptureQueriesContext(connection) as queries:
            assert {one.verdict for one in ahead.forecast(some, asked, catalog=catalog).values()} == {V.CREATE}
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 4
