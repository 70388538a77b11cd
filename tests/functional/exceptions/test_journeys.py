"""Whole journeys in a real browser: Dana works the queue by keyboard, fixes, comments, accepts in bulk; Sam decides on a phone. Every page passes axe."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect

from exceptions import tickets
from exceptions.enums import ApprovalStatus, Resolution, TicketStatus
from exceptions.models import Approval, Ticket
from ownership.models import User
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Step
from syncflows.enums import ExceptionClass
from tests.factories import people, records
from tests.factories import tickets as make
from tests.functional.accessibility import list_violations, overflow_px
from tests.functional.conftest import NARROW, WIDE
from tests.functional.exceptions.test_approval_pages import DOCUMENT

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "A_very_long_word_without_any_break_" * 4


def session_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def dana() -> User:
    return people.person("Dana Kim")


@pytest.fixture
def sam() -> User:
    return people.bob(first_name="Sam", last_name="Okafor")


def mine(dana: User, *made: Ticket) -> list[Ticket]:
    for ticket in made:
        tickets.assign(ticket, to=dana, by=dana)
    return list(made)


def asked(sam: User, **values: Any) -> Approval:
    found = make.approval(sam, requester="Lena Vogt", **values)
    Approval.objects.filter(pk=found.pk).update(snapshot=DOCUMENT, message="18 % discount for Hartmann Logistik")
    return Approval.objects.get(pk=found.pk)


def test_dana_triages_with_the_keyboard_alone(open_page, dana) -> None:
    first, second, third = mine(dana, make.acceptable(), make.acceptable(), make.acceptable())
    page = open_page("/queue/", session=session_of(dana))
    for key in ("j", "j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(f"**/tickets/{second.public_id}/**")
    expect(page.locator(".crumbs")).to_contain_text("2 of 3")
    page.keyboard.press("c")
    expect(page.locator("#ticket-act textarea[name=reason]")).to_be_focused()
    page.keyboard.type("Agreed by mail")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".toast-success")).to_contain_text("Accepted")
    second.refresh_from_db()
    assert (second.resolution, second.resolution_note) == (Resolution.ACCEPTED, "Agreed by mail")
    page.keyboard.press("j")
    page.wait_for_url(f"**/tickets/{third.public_id}/**")
    page.keyboard.press("k")
    page.wait_for_url(f"**/tickets/{first.public_id}/**")


def test_dana_fixes_a_payload_sees_the_difference_and_replays(open_page, dana) -> None:
    [ticket] = mine(dana, make.ticket())
    page = open_page("/queue/", session=session_of(dana))
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.wait_for_url("**/fix/**")
    page.get_by_label("amount").fill("120.50")
    expect(page.locator("#fix-preview ins")).to_have_text("120.50")
    page.get_by_label("Reason").fill("Typed wrong in the CRM")
    page.get_by_role("button", name="Replay with these changes").click()
    expect(page.locator(".toast-success")).to_contain_text("1 field(s) corrected")
    ticket.refresh_from_db()
    assert ticket.run.payload == {"account": "Acme", "amount": "120.50"}
    assert (ticket.resolution, ticket.run.status) == (Resolution.REPLAYED, RunStatus.PENDING)


def test_dana_sees_where_her_json_breaks_while_typing_and_loses_nothing(open_page, dana) -> None:
    [ticket] = mine(dana, make.ticket())
    page = open_page(f"/tickets/{ticket.public_id}/fix/?as=json", session=session_of(dana))
    page.locator("#payload").fill('{"amount": 1,,}')
    expect(page.locator("#fix-preview")).to_contain_text("line 1, column 14")
    assert page.locator("#payload").input_value() == '{"amount": 1,,}'
    page.locator("#payload").fill('{"amount": "1.00"}')
    expect(page.locator("#fix-preview .changed")).to_have_count(2)


def test_dana_comments_by_keyboard(open_page, dana) -> None:
    [ticket] = mine(dana, make.ticket())
    page = open_page(f"/tickets/{ticket.public_id}/", session=session_of(dana))
    page.keyboard.press("m")
    page.keyboard.type("Called them. שלום 🎉")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".talk-comment")).to_contain_text("Called them. שלום 🎉")


def test_dana_accepts_in_bulk_after_a_preview(open_page, dana) -> None:
    mine(dana, make.acceptable(), make.acceptable(), make.ticket())
    page = open_page("/queue/", session=session_of(dana))
    page.locator("[data-select-all]").check()
    expect(page.locator("[data-bulkbar]")).to_contain_text("3 selected")
    page.keyboard.press("c")
    expect(page.locator("#bulk-preview")).to_contain_text("does not wait for acceptance")
    assert list_violations(page) == []
    page.get_by_label("Reason").fill("Prices agreed")
    page.get_by_role("button", name="Accept 2").click()
    expect(page.locator("#bulk-live")).to_contain_text("2 accepted, 1 left as they were")
    assert list_violations(page) == []
    assert Ticket.objects.filter(resolution=Resolution.ACCEPTED).count() == 2


def test_the_queue_renews_itself_without_losing_place_or_selection(open_page, dana) -> None:
    first, _ = mine(dana, make.ticket(), make.ticket())
    page = open_page("/queue/", session=session_of(dana))
    page.keyboard.press("j")
    page.keyboard.press("x")
    newer = mine(dana, make.ticket(message="Came in meanwhile."))[0]
    page.evaluate("htmx.trigger('#queue-live', 'refresh')")
    expect(page.locator(f"[data-row={newer.public_id}]")).to_contain_text("Came in meanwhile.")
    expect(page.locator("#queue-summary")).to_contain_text("3 open")
    expect(page.locator(f"[data-row={first.public_id}]")).to_be_focused()
    expect(page.locator("[data-select]:checked")).to_have_count(1)


def test_a_ticket_says_that_something_happened_without_moving_anything(open_page, dana) -> None:
    [ticket] = mine(dana, make.ticket())
    page = open_page(f"/tickets/{ticket.public_id}/", session=session_of(dana))
    page.locator("textarea[name=text]").fill("half a senten")
    tickets.comment(ticket, text="I have it", by=people.alice())
    page.evaluate("htmx.trigger('#ticket-news', 'refresh')")
    expect(page.locator("#ticket-news")).to_contain_text("Something happened")
    assert page.locator("textarea[name=text]").input_value() == "half a senten"


def test_the_queue_works_without_javascript(browser, live_server, dana) -> None:
    [ticket] = mine(dana, make.acceptable())
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(
        [{"name": n, "value": m.value, "url": live_server.url} for n, m in session_of(dana).cookies.items()]
    )
    page = context.new_page()
    page.goto(f"{live_server.url}/queue/")
    page.get_by_role("link", name="20 % above list.").click()
    page.get_by_role("link", name=re.compile("^Accept")).click()
    page.get_by_label("Reason").fill("Agreed")
    page.get_by_role("button", name="Accept").click()
    assert "Accepted. The record goes on." in page.content()
    context.close()
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.RESOLVED


def test_sam_approves_on_a_phone(open_page, sam) -> None:
    approval, other = asked(sam), asked(sam)
    page = open_page(f"/approvals/{approval.public_id}/", width=NARROW, session=session_of(sam))
    expect(page.locator(".crumbs")).to_contain_text("1 of 2")
    button = page.get_by_role("button", name="Approve")
    expect(button).to_be_in_viewport(ratio=1)
    assert button.bounding_box()["height"] >= 44
    page.get_by_placeholder("Reason (kept as evidence)").fill("Three-year commitment")
    button.click()
    expect(page.locator(".approval-decide")).to_contain_text("Approved by Sam Okafor")
    approval.refresh_from_db()
    assert (approval.status, approval.decision_reason) == (ApprovalStatus.APPROVED, "Three-year commitment")
    page.get_by_role("link", name="Next of 1 waiting").click()
    page.wait_for_url(f"**/approvals/{other.public_id}/")


def everything(dana: User, sam: User) -> dict[str, str]:
    """Addresses of each page, with content that is long, hostile and in two writing directions."""
    run = records.run()
    Step.objects.create(
        run=run,
        index=0,
        name="create-order",
        system="erp",
        operation="create-order",
        status="done",
        reference="r",
        idempotency_key=run.public_id,
        document={},
        document_fingerprint="x",
    )
    context = {
        "payload": {LONG: LONG, "a": [1]},
        "violations": [{"path": "a[0]", "message": LONG}],
        "ours": {"total": LONG},
        "theirs": {"total": "שלום"},
    }
    ticket = mine(
        dana,
        make.ticket(
            run,
            exception_class=ExceptionClass.PARTIAL,
            message=f"<b>{LONG}</b> שלום",
            customer=LONG,
            remedy=LONG,
            context=context,
        ),
    )[0]
    tickets.comment(ticket, text=LONG, by=dana)
    make.ticket()
    accept, approval = mine(dana, make.acceptable())[0], asked(sam)
    return {
        "queue": "/queue/", "ticket": f"/tickets/{ticket.public_id}/", "policy": f"/tickets/{accept.public_id}/", "fix": f"/tickets/{ticket.public_id}/fix/",
        "json": f"/tickets/{ticket.public_id}/fix/?as=json", "resolve": f"/tickets/{ticket.public_id}/resolve/", "assign": f"/tickets/{ticket.public_id}/assign/",
        "empty": "/queue/?view=open&class=silence", "approvals": "/approvals/?view=open", "approval": f"/approvals/{approval.public_id}/",
    }  # fmt: skip


@pytest.mark.parametrize(("theme", "width"), [("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW)])
def test_every_page_passes_axe_and_fits_the_window(open_page, dana, sam, theme, width) -> None:
    found, session = {}, session_of(dana)
    page = None
    for name, path in everything(dana, sam).items():
        if page is None:
            page = open_page(path, theme=theme, width=width, session=session)
        else:
            page.goto(page.url.split("/queue")[0] + path)
        problems = list_violations(page) + ([f"{overflow_px(page)} px too wide"] if overflow_px(page) > 0 else [])
        found |= {name: problems} if problems else {}
    assert found == {}


def test_sams_phone_passes_axe(open_page, sam) -> None:
    page = open_page(f"/approvals/{asked(sam).public_id}/", width=NARROW, theme="dark", session=session_of(sam))
    assert list_violations(page) == []
    assert overflow_px(page) <= 0
