"""Replays in the console: from the runs and the queue to a form, a preview, a start; what is refused; and the journey in a browser."""

from __future__ import annotations

import pytest
from django.test import Client

from syncflows.engine import batch
from syncflows.engine.models import ReplayItem, ReplayJob, Run
from syncflows.engine.replays import carrying
from tests import polling
from tests.functional.accessibility import list_violations, overflow_px
from tests.functional.conftest import NARROW
from tests.functional.pages.conftest import Company
from tests.integration.engine import deals

FORM = {"versions": "current", "per_second": "10", "looks": "on", "reason": "The customer exists now."}


@pytest.fixture
def replayed(company: Company, customer_id: str, as_alice: Client) -> ReplayJob:
    """A preview of the failed record, with a correction."""
    correction = {"correction": "merge", "document": f'{{"customer_id": "{customer_id}"}}'}
    as_alice.post("/replays/new/?flow=deals&status=failed", {**FORM, **correction})
    return ReplayJob.objects.get()


def test_the_form_says_what_it_is_about(company: Company, as_alice: Client, as_charlie: Client) -> None:
    page = as_alice.get("/replays/new/?flow=deals&status=failed&cursor=run_x").content.decode()
    assert "Replay 1 record" in page
    assert "failed" in page
    one = as_alice.get(f"/replays/new/?run={company.failed.public_id}").content.decode()
    assert company.failed.public_id in one
    assert "disabled" in as_charlie.get("/replays/new/?status=failed").content.decode()
    assert "/replays/new/?flow=deals" in as_alice.get("/runs/?flow=deals").content.decode()
    queue = as_alice.get("/queue/replay/?view=open").content.decode()
    assert company.failed.public_id in queue
    assert as_alice.get("/queue/replay/?view=open&q=nothing-like-it").status_code == 302


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=completed&created_after=2031-01-01", "Nothing matches"),
        ("", "at least one filter"),
        ("colour=red", "Unknown filter colour"),
        ("received_after=2026-02-01&received_before=2026-01-01", "time range is empty"),
        ("amount_min=9&amount_max=1", "amount range is empty"),
        ("amount_min=many", "cannot read"),
        ("received_after=yesterday", "cannot read"),
        ("run=run_0000000000000000", "no run or event"),
        ("run=%3Cscript%3E", "Not the id"),
    ],
)
def test_a_selection_that_cannot_be_used_says_why(company: Company, as_alice: Client, query: str, said: str) -> None:
    page = as_alice.get(f"/replays/new/?{query}")
    assert page.status_code == 200
    assert said in page.content.decode()
    answer = as_alice.post(f"/replays/new/?{query}", FORM)
    if "run=" not in query:
        assert answer.status_code in (400, 404, 422)
    assert not ReplayJob.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": " "}, "Say why"),
        ({"per_second": "0"}, "greater than or equal to 1"),
        ({"correction": "merge", "document": "[1]"}, "JSON object"),
        ({"correction": "merge", "document": '{"a": NaN}'}, "NaN"),
        ({"correction": "merge"}, "Give the correction"),
        ({"document": "{}"}, "how to read"),
        ({"correction": "expressions", "document": '{"a": "boom("}'}, "CEL"),
        ({"versions": "yesterday"}, "valid choice"),
    ],
)
def test_a_form_that_cannot_be_used_says_why(
    company: Company, as_alice: Client, changed: dict[str, str], said: str
) -> None:
    answer = as_alice.post("/replays/new/?status=failed", {**FORM, **changed})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not ReplayJob.objects.exists()


def test_preview_start_and_result(replayed: ReplayJob, erp: str, as_alice: Client, as_charlie: Client) -> None:
    page = as_alice.get(f"/replays/{replayed.public_id}/").content.decode()
    assert "1 of 1 would run" in page
    assert "Would create" in page
    run = Run.objects.get(status="failed")
    record = as_alice.get(f"/replays/{replayed.public_id}/records/{run.public_id}/").content.decode()
    assert "The target holds nothing under this reference" in record
    assert "customer_id" in record

    as_charlie.post(f"/replays/{replayed.public_id}/start/")
    assert ReplayJob.objects.get().status == "previewed"
    assert as_alice.post(f"/replays/{replayed.public_id}/start/").status_code == 302
    polling.until(lambda: _over(replayed), timeout_s=20, what="it is over")
    assert "1 of 1 over" in as_alice.get(f"/replays/{replayed.public_id}/?outcome=done").content.decode()
    assert "D4" in {order["external_id"] for order in deals.orders(erp)}
    lines = b"".join(as_alice.get(f"/replays/{replayed.public_id}/records.csv").streaming_content).decode()  # type: ignore[arg-type]
    assert f"{run.public_id},deals,D4" in lines
    assert "Done" in lines
    assert as_alice.get("/replays/rpl_0000000000000000/").status_code == 404
    assert as_alice.post(f"/replays/{replayed.public_id}/explode/").status_code == 404
    assert as_alice.get(f"/replays/{replayed.public_id}/records/run_x/").status_code == 404
    assert "The customer exists now." in as_charlie.get("/replays/").content.decode()


def test_empty_list(as_charlie: Client) -> None:
    assert "Nothing was replayed yet" in as_charlie.get("/replays/").content.decode()


def test_from_the_runs_to_a_done_replay_in_a_browser(
    company: Company, customer_id: str, as_alice: Client, open_page
) -> None:
    page = open_page("/runs/?flow=deals&status=failed", session=as_alice)
    page.get_by_role("link", name="Replay these").click()
    assert list_violations(page) == []
    page.get_by_label("Correct the payload").select_option("merge")
    page.locator("#id_document").fill(f'{{"customer_id": "{customer_id}"}}')
    page.get_by_label("Reason").fill("The customer exists now.")
    page.get_by_role("button", name="Preview", exact=True).click()
    page.get_by_text("1 of 1 would run").wait_for()
    assert list_violations(page) == []
    page.get_by_role("link", name="D4").click()
    assert list_violations(page) == []
    page.go_back()
    page.get_by_role("button", name="Replay 1").click()
    job = ReplayJob.objects.get()
    polling.until(lambda: _over(job), timeout_s=30, what="it is over")
    page.get_by_text("1 of 1 over").wait_for()
    assert list_violations(page) == []
    for path in ("/replays/", f"/replays/{job.public_id}/", "/replays/new/?status=completed"):
        narrow = open_page(path, session=as_alice, width=NARROW, theme="dark")
        assert list_violations(narrow) == []
        assert overflow_px(narrow) <= 0


def _over(job: ReplayJob) -> bool:
    carrying.carry(job.pk)
    batch.work()
    return not ReplayItem.objects.filter(job=job, outcome__in=("waiting", "under_way")).exists()
