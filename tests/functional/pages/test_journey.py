"""The pages in a real browser: from log-in to a record's timeline, at both widths, in both themes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect

from tests.functional.accessibility import list_violations, overflow_px
from tests.functional.conftest import NARROW, WIDE, OpenPage
from tests.functional.pages.conftest import Company


def test_from_log_in_by_search_to_the_timeline(open_page: OpenPage, company: Company, alice: Any) -> None:
    page = open_page("/login/")
    page.fill("#id_username", "alice")
    page.fill("#id_password", "a long pass phrase")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.keyboard.press("/")
    page.keyboard.type("D1")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/trace/{company.completed.public_id}/")
    page.locator(".timeline details").first.locator("summary").click()
    expect(page.locator(".timeline .code").first).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_pages_pass_axe_and_fit_the_window(
    open_page: OpenPage, company: Company, as_alice: Client, theme: str, width: int
) -> None:
    paths = [
        "/",
        "/trace/",
        f"/trace/{company.held.public_id}/",
        f"/trace/{company.failed.public_id}/",
        "/runs/",
        "/flows/",
        "/flows/deals/",
        "/systems/",
        "/systems/erp/",
        "/ownership/",
        "/profile/",
    ]
    page = open_page(paths[0], theme=theme, width=width, session=as_alice)
    origin = page.url.rstrip("/")
    faults = {}
    for path in paths:
        page.goto(origin + path)
        found = list_violations(page)
        if found or overflow_px(page) > 0:
            faults[path] = (found, overflow_px(page))
    assert faults == {}


def test_a_system_is_paused_after_a_question(open_page: OpenPage, company: Company, as_alice: Client) -> None:
    page = open_page("/systems/erp/", session=as_alice)
    page.get_by_label("Reason").fill("month end")
    page.get_by_role("button", name="Pause").click()
    page.locator("#confirm").get_by_role("button", name="Go on").click()
    expect(page.locator(".page-sub")).to_contain_text("Paused by a person")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_filter_of_runs_renews_the_rows(open_page: OpenPage, company: Company, as_alice: Client) -> None:
    page = open_page("/runs/", session=as_alice)
    page.get_by_label("Status").select_option("held")
    expect(page.locator("#run-rows tbody tr")).to_have_count(1)
    assert "status=held" in page.url
