"""The page of staged documents: found, looked at beside the target, decided on singly and in bulk; hostile input stays text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect

from ownership.enums import Role
from ownership.models import User
from syncflows.engine import tasks
from syncflows.engine.enums import RunStatus, StagedStatus
from syncflows.engine.models import Run
from syncflows.engine.soft.models import StagedBulk, StagedDocument
from tests.functional.accessibility import list_violations, overflow_px
from tests.functional.conftest import NARROW, WIDE, OpenPage
from tests.functional.pages.conftest import HOSTILE, person
from tests.integration.engine import deals, soft_deals


@pytest.fixture
def ledger(erp: str, customer_id: str) -> list[StagedDocument]:
    """Five staged deals of an import, the second in the ERP with another total, the last with a hostile customer."""
    soft_deals.define(erp, commit="direct")
    soft_deals.order(erp, 2, customer_id=customer_id, total="90.00")
    runs = soft_deals.send(1, 2, 3, 4, customer_id=customer_id, batch="deals-2024")
    return soft_deals.staged(*runs, *soft_deals.send(5, customer_id=HOSTILE, batch="deals-2024"))


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def shown(client: Client, **filters: str) -> set[str]:
    return {row.reference for row in client.get("/staged/", filters).context["documents"]}


def test_an_empty_ledger_says_how_to_fill_it(as_alice: Client) -> None:
    assert "manage.py ingest FILE" in text_of(as_alice.get("/staged/"))
    assert "No history was imported yet" in text_of(as_alice.get("/staged/imports/"))


def test_the_list_is_narrowed_by_each_filter(as_charlie: Client, ledger: list[StagedDocument]) -> None:
    soft_deals.compare(ledger[:3])
    assert shown(as_charlie) == {"D1", "D2", "D3", "D4", "D5"}
    assert shown(as_charlie, batch="deals-2024", status="staged", flow="deals", system="erp") == {
        "D1",
        "D2",
        "D3",
        "D4",
        "D5",
    }
    assert shown(as_charlie, verdict="differs") == {"D2"}
    assert shown(as_charlie, verdict="none") == {"D4", "D5"}
    assert shown(as_charlie, q="d3") == {"D3"}
    assert shown(as_charlie, q="النور") == {"D5"}
    assert shown(as_charlie, gate="open") == set()
    assert shown(as_charlie, older_than_hours="24") == set()
    assert shown(as_charlie, approved="true") == set()
    assert shown(as_charlie, batch="another") == set()


@pytest.mark.parametrize(
    "query",
    [{"status": "flying"}, {"older_than_hours": "-1"}, {"older_than_hours": "1e999"}, {"staged_after": "yesterday"}, {"verdict": "\x01"}],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_shows_no_rows(
    as_charlie: Client, ledger: list[StagedDocument], query: dict[str, str]
) -> None:
    answer = as_charlie.get("/staged/", query)
    assert answer.status_code == 200
    assert list(answer.context["documents"]) == []


def test_hostile_text_stays_text_and_unknown_ids_are_missing(as_alice: Client, ledger: list[StagedDocument]) -> None:
    for path in ("/staged/", f"/staged/{ledger[-1].public_id}/", "/staged/imports/"):
        page = as_alice.get(path).content.decode()
        assert "<img src=x" not in page, path
    assert as_alice.get("/staged/stg_nothing/").status_code == 404
    assert as_alice.get("/staged/bulk/sbk_nothing/").status_code == 404
    assert as_alice.get("/staged/?cursor=%00nonsense").status_code == 200


def test_one_is_promoted_and_one_revoked_with_a_reason(
    as_alice: Client, erp: str, ledger: list[StagedDocument]
) -> None:
    path = f"/staged/{ledger[0].public_id}/"
    assert as_alice.post(path, {"action": "promote", "reason": " "}).status_code == 422
    assert as_alice.post(path, {"action": "explode", "reason": "x"}).status_code == 422
    answer = as_alice.post(path, {"action": "promote", "reason": "checked"}, follow=True)
    assert "is promoted" in text_of(answer)
    as_alice.post(f"/staged/{ledger[2].public_id}/", {"action": "revoke", "reason": "entered twice"})
    soft_deals.drain()
    again = as_alice.post(path, {"action": "promote", "reason": "again"})

    assert again.status_code == 409
    assert {row.reference: row.status for row in StagedDocument.objects.all()} == {
        "D1": StagedStatus.PROMOTED, "D2": StagedStatus.STAGED, "D3": StagedStatus.REVOKED, "D4": StagedStatus.STAGED, "D5": StagedStatus.STAGED,
    }  # fmt: skip
    assert sorted(order["external_id"] for order in deals.orders(erp)) == ["D1", "D2"]


def test_who_may_only_look_changes_nothing(as_charlie: Client, erp: str, ledger: list[StagedDocument]) -> None:
    path = f"/staged/{ledger[0].public_id}/"
    for action in ("promote", "adopt", "approve", "revoke"):
        assert as_charlie.post(path, {"action": action, "reason": "x"}).status_code == 403
    assert as_charlie.post(f"{path}compare/").status_code == 403
    as_charlie.post("/staged/bulk/", {"action": "promote", "document": ledger[0].public_id})
    assert StagedBulk.objects.count() == 0
    assert {row.status for row in StagedDocument.objects.all()} == {StagedStatus.STAGED}
    assert len(deals.orders(erp)) == 1


def test_compare_shows_both_sides_and_keeps_the_verdict(as_alice: Client, ledger: list[StagedDocument]) -> None:
    page = text_of(as_alice.post(f"/staged/{ledger[1].public_id}/compare/"))
    assert "There, but different" in page
    assert "90.00" in page
    assert "total (changed)" in page
    nothing = text_of(as_alice.post(f"/staged/{ledger[0].public_id}/compare/"))
    assert "holds nothing under D1" in nothing


def test_a_filter_is_promoted_across_pages_and_says_why_some_are_left(
    as_alice: Client, erp: str, ledger: list[StagedDocument]
) -> None:
    soft_deals.compare(ledger)
    drafted = as_alice.post("/staged/bulk/?batch=deals-2024", {"action": "promote", "all_matching": "1"}, follow=True)
    path = drafted.redirect_chain[-1][0]
    page = text_of(drafted)
    assert "Promote 5 documents" in page
    assert "Will be promoted 4" in page
    assert "USD 400.00" in page
    assert "with different content" in page
    assert Run.objects.filter(status=RunStatus.PENDING).count() == 0

    assert as_alice.post(path, {"reason": ""}).status_code == 422
    as_alice.post(path, {"reason": "history"})
    tasks.carry_staged_bulk(bulk_id=StagedBulk.objects.get().pk)
    soft_deals.drain()

    done = text_of(as_alice.get(path))
    assert "4 promoted, 1 left as they were" in done
    assert sorted(order["external_id"] for order in deals.orders(erp)) == ["D1", "D2", "D3", "D4"]
    assert "Promote 1 document" in text_of(as_alice.post(f"{path}again/", follow=True))


def test_a_draft_is_its_makers_and_can_be_stopped_only_under_way(
    as_alice: Client, ledger: list[StagedDocument]
) -> None:
    path = as_alice.post(
        "/staged/bulk/", {"action": "compare", "document": ledger[0].public_id}, follow=True
    ).redirect_chain[-1][0]
    other = Client()
    other.force_login(person("mallory", Role.FINANCE_OPS, "Mallory Moss"))
    assert other.get(path).status_code == 404
    assert "not under way" in text_of(as_alice.post(f"{path}cancel/", follow=True))
    as_alice.post(path)
    assert "is not under way" not in text_of(as_alice.post(f"{path}cancel/", follow=True))
    assert other.get(path).status_code == 200
    assert (
        as_alice.post("/staged/bulk/", {"action": "promote"}, follow=True).redirect_chain[-1][0].startswith("/staged/")
    )


@pytest.mark.parametrize(("theme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_the_pages_pass_axe_and_promote_a_selection(
    open_page: OpenPage, as_alice: Client, alice: User, ledger: list[StagedDocument], erp: str, theme: str, width: int
) -> None:
    """From the navigation to a promoted document, in both themes and widths."""
    soft_deals.compare(ledger[:3])
    page = open_page("/staged/", theme=theme, width=width, session=as_alice)
    origin = page.url.removesuffix("/staged/")
    faults = {}
    for path in ("/staged/", "/staged/imports/", f"/staged/{ledger[1].public_id}/", f"/staged/{ledger[-1].public_id}/"):
        page.goto(origin + path)
        found = list_violations(page)
        if found or overflow_px(page) > 0:
            faults[path] = (found, overflow_px(page))
    assert faults == {}

    page.goto(f"{origin}/staged/?verdict=missing")
    for place in range(2):
        page.locator("[data-select]").nth(place).check()
    page.get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Promote 2 documents")
    assert list_violations(page) == []
    page.get_by_label("Reason").fill("compared and missing")
    page.get_by_role("button", name="Promote 2").click()
    expect(page.locator("#staged-live")).to_be_visible()
    tasks.carry_staged_bulk(bulk_id=StagedBulk.objects.latest("pk").pk)
    expect(page.locator("#staged-live")).to_contain_text("2 promoted", timeout=15_000)
    assert list_violations(page) == []
