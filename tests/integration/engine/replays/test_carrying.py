"""What a started replay does: once each, at its pace, nothing back in time, nothing that changed since its preview; pause, cancel, a killed worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from exceptions.models import Ticket
from exceptions.permissions import Decider
from meshline.audit.models import AuditEvent
from meshline.kernel.errors import Conflict
from ownership.models import User
from syncflows.engine import batch
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, ReplayItem, ReplayJob, Run
from syncflows.engine.replays import carrying, jobs, selection
from syncflows.engine.replays.enums import ReplayOutcome, ReplayStatus
from syncflows.engine.replays.jobs import How
from tests import polling
from tests.factories import people
from tests.integration.engine import deals
from tests.integration.engine.replays import again
from tests.servers import counting_proxy

ROOT = Path(__file__).resolve().parents[4]
O = ReplayOutcome  # noqa: E741 - the outcomes, named often
UPDATES = "update, update: update_order"
FAILED = {"filter": {"flow": "deals", "status": "failed"}}


@pytest.fixture
def alice(transactional_db: None) -> User:
    return people.alice()


def failed(*numbers: int, **values: object) -> list[Run]:
    """Runs that broke their contract's stage, which costs no call."""
    events = deals.send(*numbers, customer_id="nobody", stage="lost", **values)
    polling.until(lambda: not batch.work(), timeout_s=120, what="work ends")
    return [deals.run_of(event) for event in events]


def notes(erp: str) -> list[str]:
    """Of each order, as the ERP answers for it."""
    headers = {"Authorization": "Bearer erp-demo-token"}
    answer = httpx.get(f"{erp}/erp/orders", headers=headers, trust_env=False)
    return [order["notes"] for order in answer.json()["items"]]


def mended(customer_id: str) -> dict[str, object]:
    return {"kind": "merge", "document": {"stage": "won", "customer_id": customer_id}}


def test_corrected_replay_of_many_makes_each_order_once(erp: str, customer_id: str, alice: User) -> None:
    runs = failed(1, 2, 3)
    job = jobs.ask(FAILED, How(correction=mended(customer_id)), by=alice, reason="the stage was misspelt")
    carrying.carry(job.pk)
    job = again.finished(jobs.start(jobs.get(job.public_id), by=alice))

    assert job.status == ReplayStatus.DONE
    assert again.outcomes(job) == [O.DONE] * 3
    assert sorted(order["external_id"] for order in deals.orders(erp)) == ["D1", "D2", "D3"]
    for run in runs:
        replayed = LineageFact.objects.get(run_id=run.pk, kind=FactKind.REPLAYED)
        assert replayed.detail == {"job": job.public_id, "from_step": "start", "versions": "current"}
        assert replayed.actor == str(alice)
        corrected = LineageFact.objects.get(run_id=run.pk, kind=FactKind.CORRECTED)
        assert {change["path"] for change in corrected.detail["changes"]} == {"stage", "customer_id"}
        run.refresh_from_db()
        run.event.refresh_from_db()
        assert (run.human_actions, run.event.payload["stage"], run.payload["stage"]) == (1, "lost", "won")
    assert set(Ticket.objects.values_list("status", "resolution")) == {("resolved", "replayed")}
    acts = set(AuditEvent.objects.filter(object_id=job.public_id).values_list("act", flat=True))
    assert acts == {
        "replay.made",
        "replay.previewing",
        "replay.previewed",
        "replay.running",
        "run.replayed",
        "replay.done",
    }


def test_the_versions_of_then_carry_it_and_stay_with_it(erp: str, customer_id: str, alice: User) -> None:
    [event] = deals.send(1, customer_id="nobody", notes="plain")
    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    text = deals.DEFINITIONS
    try:
        deals.DEFINITIONS = text.replace(
            "notes: default(payload, 'notes', '')", "notes: upper(default(payload, 'notes', ''))"
        )
        deals.define(erp)
    finally:
        deals.DEFINITIONS = text
    correction = {"kind": "merge", "document": {"customer_id": customer_id}}
    job = again.previewed(run, by=alice, versions="then", correction=correction)
    again.finished(jobs.start(job, by=alice))

    assert notes(erp) == ["plain"]
    run.refresh_from_db()
    assert run.flow_version is not None
    assert run.replay["versions"]["labels"] == ["deals 1", "crm-deal 1", "deal-order 1", "discounts 1"]


def test_from_a_step_leaves_what_is_done_as_it_is(erp: str, customer_id: str, alice: User) -> None:
    deals.define(erp, on_change=UPDATES)
    deals.fault(erp, "status", path_prefix="/erp/invoices", method="POST", count=1, params={"status": 422})
    [event] = deals.send(1, customer_id=customer_id, invoice=True, notes="first")
    run = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    correction = {"kind": "merge", "document": {"notes": "second"}}
    job = again.previewed(run, by=alice, from_step="create-invoice", correction=correction)
    again.finished(jobs.start(job, by=alice))

    assert again.outcomes(job) == [O.DONE]
    assert notes(erp) == ["first"]
    assert deals.ledger(erp, "invoices")["count"] == 1


def test_what_went_back_in_time_meanwhile_is_refused_at_its_turn(erp: str, customer_id: str, alice: User) -> None:
    [event] = deals.send(1, customer_id="nobody", changed="2026-01-01")
    older = deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))
    correction = {"kind": "merge", "document": {"customer_id": customer_id}}
    job = again.previewed(older, by=alice, correction=correction)
    assert again.verdicts(job) == ["would_create"]
    [event] = deals.send(1, customer_id=customer_id, changed="2026-01-02", notes="newer")
    newer = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    job = again.finished(jobs.start(job, by=alice))

    item = again.item(job, older)
    assert item.outcome == O.REFUSED
    assert newer.public_id in item.outcome_reason
    assert notes(erp) == ["newer"]
    assert not LineageFact.objects.filter(run_id=older.pk, kind=FactKind.REPLAYED).exists()


def test_what_changed_since_the_preview_is_not_run(erp: str, customer_id: str, alice: User) -> None:
    [run] = failed(1)
    job = again.previewed(run, by=alice, correction=mended(customer_id))
    text = deals.DEFINITIONS
    try:
        deals.DEFINITIONS = text.replace("notes: default(payload, 'notes', '')", "notes: \"'surprise'\"")
        deals.define(erp)
    finally:
        deals.DEFINITIONS = text
    job = again.finished(jobs.start(job, by=alice))

    assert again.outcomes(job) == [O.CHANGED]
    assert deals.orders(erp) == []
    rest = jobs.again(job, by=alice)
    again.finished(jobs.start(rest, by=alice))
    assert notes(erp) == ["surprise"]


def test_what_would_fail_or_is_refused_is_left_as_it_is(erp: str, customer_id: str, alice: User) -> None:
    runs = failed(1)
    job = again.finished(jobs.start(again.previewed(*runs, by=alice), by=alice))
    assert again.outcomes(job) == [O.SKIPPED]
    assert not LineageFact.objects.filter(kind=FactKind.REPLAYED).exists()
    with pytest.raises(Conflict, match="left to try again"):
        jobs.again(job, by=alice)


def test_trying_the_rest_again_corrects_only_once(erp: str, customer_id: str, alice: User) -> None:
    runs = failed(1, 2)
    doubling = {
        "kind": "expressions",
        "document": {"amount": "mul(payload.amount, '2')", "stage": "'won'", "customer_id": f"'{customer_id}'"},
    }
    deals.fault(erp, "status", path_prefix="/erp/orders", method="POST", count=1, params={"status": 422})
    job = again.finished(jobs.start(again.previewed(*runs, by=alice, correction=doubling), by=alice))
    assert sorted(again.outcomes(job)) == [O.DONE, O.FAILED]

    rest = again.finished(jobs.start(jobs.again(job, by=alice), by=alice))

    assert again.outcomes(rest) == [O.DONE]
    assert deals.ledger(erp)["sum"] == {"USD": "400.00"}


def test_what_is_foretold_is_what_happens(erp: str, customer_id: str, alice: User) -> None:
    """The preview decides beside the engine's own rules of adoption: each verdict is held to the calls that follow it."""
    deals.define(erp, on_change=UPDATES)
    [event] = deals.send(1, customer_id=customer_id)
    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))
    cases = (
        ("nothing_to_do", UPDATES, None, {}),
        ("would_update", UPDATES, {"notes": "second"}, {"PATCH": 1}),
        ("nothing_to_do", "ignore", {"notes": "third"}, {}),
        ("would_fail", "duplicate", {"notes": "fourth"}, {}),
        ("would_create", UPDATES, {"invoice": True, "notes": "fifth"}, {"PATCH": 1, "POST": 1}),
    )
    with counting_proxy.running(erp) as proxy:
        for verdict, on_change, patch, calls in cases:
            deals.define(proxy.url, on_change=on_change)
            correction = {"kind": "merge", "document": patch} if patch else None
            job = again.previewed(run, by=alice, correction=correction)
            assert again.verdicts(job) == [verdict]
            proxy.counted.clear()
            again.finished(jobs.start(job, by=alice))
            written = Counter(name.split(" ")[0] for name in proxy.counted.elements() if not name.startswith("GET"))
            assert written == calls, verdict
    assert deals.ledger(erp)["count"] == 1


def test_who_corrected_by_a_replay_may_not_approve(erp: str, customer_id: str, alice: User) -> None:
    [run] = failed(1)
    correction = {"kind": "merge", "document": {**mended(customer_id)["document"], "list": "200.00"}}  # type: ignore[dict-item]
    job = again.previewed(run, by=alice, correction=correction)
    assert again.verdicts(job) == ["would_be_held"]
    again.finished(jobs.start(job, by=alice))
    assert again.outcomes(job) == [O.HELD]
    assert Decider.of(alice, event_ids=[run.event_id]).corrected_event_ids == {run.event_id}


def test_new_matches_are_said_and_not_added(erp: str, customer_id: str, alice: User) -> None:
    failed(1, 2)
    job = jobs.ask(FAILED, How(correction=mended(customer_id)), by=alice, reason="the stage was misspelt")
    carrying.carry(job.pk)
    failed(3)
    assert selection.newcomers(jobs.get(job.public_id)) == 1
    again.finished(jobs.start(jobs.get(job.public_id), by=alice))
    assert sorted(order["external_id"] for order in deals.orders(erp)) == ["D1", "D2"]


def test_pause_resume_and_cancel(erp: str, customer_id: str, alice: User) -> None:
    runs = failed(*range(1, 7))
    job = jobs.start(
        again.previewed(*runs, by=alice, correction=mended(customer_id), per_second=2, looks=False), by=alice
    )
    began = timezone.now()
    carrying.carry(job.pk, now=began + timedelta(seconds=1))
    assert Counter(again.outcomes(job)) == {O.UNDER_WAY: 2, O.WAITING: 4}

    jobs.pause(job, by=alice)
    carrying.carry(job.pk, now=began + timedelta(seconds=9))
    assert Counter(again.outcomes(job)) == {O.UNDER_WAY: 2, O.WAITING: 4}
    jobs.resume(job, by=alice)
    resumed = timezone.now()
    carrying.carry(job.pk, now=resumed + timedelta(seconds=1))
    assert Counter(again.outcomes(job)) == {O.UNDER_WAY: 4, O.WAITING: 2}

    jobs.cancel(job, by=alice)
    polling.until(lambda: not batch.work(), timeout_s=20, what="work ends")
    carrying.carry(job.pk, now=resumed + timedelta(seconds=9))
    assert Counter(again.outcomes(job)) == {O.DONE: 4, O.CANCELLED: 2}
    assert len(deals.orders(erp)) == 4
    untouched = Run.objects.filter(pk__in=ReplayItem.objects.filter(job=job, outcome=O.CANCELLED).values("run_id"))
    assert set(untouched.values_list("status", "human_actions")) == {(RunStatus.FAILED, 0)}
    with pytest.raises(Conflict):
        jobs.resume(job, by=alice)


def test_twenty_threads_start_it_once(erp: str, customer_id: str, alice: User) -> None:
    runs = failed(1, 2, 3)
    job = again.previewed(*runs, by=alice, correction=mended(customer_id), looks=False)

    def begin(_: int) -> bool:
        try:
            jobs.start(ReplayJob.objects.get(pk=job.pk), by=alice)
            return True
        except Conflict:
            return False
        finally:
            connection.close()

    def carry(_: int) -> None:
        try:
            carrying.carry(job.pk, now=timezone.now() + timedelta(seconds=1))
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(begin, range(20))) == 1
        list(threads.map(carry, range(20)))
    again.finished(ReplayJob.objects.get(pk=job.pk))
    assert LineageFact.objects.filter(kind=FactKind.REPLAYED).count() == 3
    assert len(deals.orders(erp)) == 3


def test_who_may_not_replay_any_more_stops_it(erp: str, customer_id: str, alice: User) -> None:
    runs = failed(1, 2)
    job = jobs.start(again.previewed(*runs, by=alice, correction=mended(customer_id)), by=alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    carrying.carry(job.pk, now=timezone.now() + timedelta(seconds=5))
    job.refresh_from_db()
    assert job.status == ReplayStatus.PAUSED
    assert "may not" in job.problem
    assert again.outcomes(job) == [O.WAITING] * 2


def test_a_killed_worker_leaves_rows_that_another_carries_on(erp: str, customer_id: str, alice: User) -> None:
    runs = failed(*range(1, 61))
    job = jobs.start(
        again.previewed(*runs, by=alice, correction=mended(customer_id), looks=False, per_second=40), by=alice
    )
    code = f"from meshline.wsgi import application\nfrom syncflows.engine.replays import carrying\nwhile True: carrying.carry({job.pk})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=deals.environment(), start_new_session=True)
    begun = ReplayItem.objects.filter(job=job, outcome=O.UNDER_WAY)
    try:
        polling.until(lambda: 0 < begun.count() < 60, timeout_s=30, what=lambda: f"{begun.count()} begun")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
    assert begun.count() == LineageFact.objects.filter(kind=FactKind.REPLAYED).count()

    again.finished(job, timeout_s=60)

    assert LineageFact.objects.filter(kind=FactKind.REPLAYED).count() == 60
    assert deals.ledger(erp)["count"] == 60
    assert deals.ledger(erp)["duplicates"] == []


def parked(number: int) -> None:
    """So many failed runs of their own records, as rows."""
    for start in range(0, number, 500):
        deals.send(*range(start, min(start + 500, number)), customer_id="nobody")
    Run.objects.update(status=RunStatus.FAILED)


@pytest.mark.slow
def test_two_thousand_records_at_their_pace(erp: str, alice: User) -> None:
    text = deals.DEFINITIONS
    try:
        deals.DEFINITIONS = (
            text[: text.index("  steps:")] + text[text.index("---\napiVersion: meshline/v1\nkind: Person") :]
        )
        deals.define(erp)
    finally:
        deals.DEFINITIONS = text
    parked(2000)
    job = jobs.ask(FAILED, How(per_second=100), by=alice, reason="many")
    carrying.carry(job.pk)
    job = jobs.start(jobs.get(job.public_id), by=alice)
    began = timezone.now()
    for second in range(1, 21):
        carrying.carry(job.pk, now=began + timedelta(seconds=second))
        assert ReplayItem.objects.filter(job=job).exclude(outcome=O.WAITING).count() <= second * 100
    assert not ReplayItem.objects.filter(job=job, outcome=O.WAITING).exists()
    job = again.finished(job, timeout_s=60)
    assert set(again.outcomes(job)) == {O.DONE}
    assert LineageFact.objects.filter(kind=FactKind.REPLAYED).count() == 2000
    assert Run.objects.filter(status=RunStatus.COMPLETED, human_actions=1).count() == 2000
