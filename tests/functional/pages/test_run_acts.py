"""Acts on runs through the pages: one with its reason, many from the list's selection or its filter, results, the rest again, stop."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ownership.models import User
from syncflows.engine.control import bulk_jobs
from syncflows.engine.control.enums import RunAct
from syncflows.engine.control.models import RunBulk
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from syncflows.enums import HoldReason
from tests.factories import records
from tests.functional.accessibility import list_violations as violations
from tests.functional.conftest import NARROW, OpenPage

pytestmark = pytest.mark.django_db


def later(**values: object) -> Run:
    """A run that will be tried again in an hour."""
    return records.run(
        status=RunStatus.RETRYING,
        due_at=timezone.now() + timedelta(hours=1),
        tries=2,
        status_reason="erp answered 503",
        **values,
    )


def text_of(answer: object) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def choose(client: Client, act: str, runs: list[Run], query: str = "", **data: str):
    return client.post(
        f"/runs/bulk/{query}", {"action": act, "run": [run.public_id for run in runs], **data}, follow=True
    )


def test_one_run_is_paused_with_a_reason_and_resumed(as_alice: Client) -> None:
    run = later()
    path = f"/runs/{run.public_id}/pause/"
    refused = as_alice.post(path, {"reason": ""})
    assert (refused.status_code, Run.objects.get(pk=run.pk).status) == (422, RunStatus.RETRYING)
    done = as_alice.post(path, {"reason": "customer called"}, follow=True)
    assert "is paused" in text_of(done)
    assert Run.objects.get(pk=run.pk).hold_reason == HoldReason.PAUSED
    as_alice.post(f"/runs/{run.public_id}/resume/", follow=True)
    assert Run.objects.get(pk=run.pk).status == RunStatus.PENDING


def test_what_stands_against_an_act_is_told_and_nothing_changes(as_charlie: Client, as_alice: Client) -> None:
    run, ended = later(), records.run(status=RunStatus.COMPLETED)
    answer = as_charlie.post(f"/runs/{run.public_id}/give_up/", {"reason": "x"})
    assert answer.status_code == 403
    assert "Your role may not" in text_of(answer)
    assert as_alice.post(f"/runs/{ended.public_id}/retry_now/").status_code == 409
    assert "Your role may not" in as_charlie.get(f"/trace/{run.public_id}/").content.decode()
    assert {run.status for run in Run.objects.all()} == {RunStatus.RETRYING, RunStatus.COMPLETED}
    assert as_alice.get(f"/runs/{run.public_id}/fly/").status_code in (400, 422)


def test_bulk_previews_counts_and_amounts_then_does_what_it_can(as_alice: Client) -> None:
    waiting, ended = later(), records.run(status=RunStatus.COMPLETED)
    chosen = choose(as_alice, "retry_now", [waiting, ended])
    text = text_of(chosen)
    assert "Retry now 2 runs" in text
    assert "Will be retried 1" in text
    assert "EUR 100.00" in text
    assert "It has ended" in text
    assert Run.objects.get(pk=waiting.pk).due_at > timezone.now()
    done = as_alice.post(chosen.redirect_chain[-1][0], {"restart_budget": "on"}, follow=True)
    assert "1 retried, 1 left as they were" in text_of(done)
    retried = Run.objects.get(pk=waiting.pk)
    assert (retried.due_at <= timezone.now(), retried.tries, retried.human_actions) == (True, 0, 1)
    again = as_alice.post(done.redirect_chain[-1][0] + "again/", follow=True)
    assert "Retry now 1 run" in text_of(again)


def test_bulk_takes_all_that_the_filter_finds_across_pages_by_a_worker(as_alice: Client, alice: User) -> None:
    for _ in range(60):
        later()
    other = later(flow="others")
    chosen = choose(as_alice, "pause", [], f"?flow={records.FLOW}", all_matching="1")
    assert "Pause 60 runs" in text_of(chosen)
    path = chosen.redirect_chain[-1][0]
    asked = as_alice.post(path, {"reason": "audit"}, follow=True)
    assert "0 of 60 handled" in text_of(asked)
    job = RunBulk.objects.get()
    RunBulk.objects.update(per_second=10_000)
    job.refresh_from_db()
    bulk_jobs.carry(job)
    assert "60 paused" in text_of(as_alice.get(path))
    assert Run.objects.filter(hold_reason=HoldReason.PAUSED).count() == 60
    other.refresh_from_db()
    assert other.status == RunStatus.RETRYING


def test_bulk_stops_where_it_is_told_to_and_leaves_the_rest(as_alice: Client, alice: User) -> None:
    runs = [later() for _ in range(60)]
    job = bulk_jobs.make(RunAct.PAUSE, [run.public_id for run in runs], by=alice)
    bulk_jobs.ask(job, reason="audit")
    answer = as_alice.post(f"/runs/bulk/{job.public_id}/cancel/", follow=True)
    assert "Stopped by you" in text_of(answer)
    bulk_jobs.carry(job)
    assert not Run.objects.filter(hold_reason=HoldReason.PAUSED).exists()
    assert job.ended_at is not None


def test_bulk_is_nobody_elses(as_alice: Client, as_charlie: Client) -> None:
    path = choose(as_alice, "pause", [later()]).redirect_chain[-1][0]
    assert as_charlie.get(path).status_code == 404
    assert "Your role may not" in text_of(choose(as_charlie, "pause", [later()]))


def test_runs_are_narrowed_by_what_they_wait_for(as_charlie: Client) -> None:
    soon, held = later(waits_for="system:erp"), records.held(HoldReason.PAUSED, status_reason="Paused by Alice: audit")
    done = records.run(status=RunStatus.COMPLETED, waits_for="system:erp")

    def shown(**filters: str) -> set[str]:
        return {run.public_id for run in as_charlie.get("/runs/", filters).context["runs"]}

    assert shown(system="erp") == {soon.public_id}
    assert shown(hold_reason="paused") == {held.public_id}
    assert shown(reason="audit") == {held.public_id}
    assert shown(due_after=timezone.now().date().isoformat()) == {soon.public_id}
    assert shown(due_before=timezone.now().date().isoformat()) == set()
    assert done.public_id in shown()


@pytest.mark.django_db(transaction=True)
def test_journey_select_runs_by_keyboard_and_retry_them(open_page: OpenPage, as_alice: Client) -> None:
    runs = [later() for _ in range(3)]
    page = open_page("/runs/", session=as_alice)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert "2 selected" in page.locator("[data-bulkbar]").inner_text()
    assert violations(page) == []
    page.keyboard.press("r")
    page.wait_for_url("**/runs/bulk/**")
    assert "will be retried" in page.locator("#bulk-preview").inner_text().lower()
    assert violations(page) == []
    page.get_by_role("button", name="Retry now 2").click()
    page.get_by_text("2 retried.").wait_for()
    assert Run.objects.filter(due_at__lte=timezone.now()).count() == 2
    narrow = open_page(f"/trace/{runs[0].public_id}/", width=NARROW, theme="dark", session=as_alice)
    narrow.get_by_role("link", name="Pause").click()
    assert violations(narrow) == []
    narrow.get_by_label("Reason").fill("customer called")
    narrow.get_by_role("button", name="Pause").click()
    narrow.get_by_text("is paused").wait_for()
