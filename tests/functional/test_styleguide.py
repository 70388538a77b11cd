from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.functional.accessibility import list_violations, overflow_px
from tests.functional.conftest import NARROW, WIDE

PATH = "/styleguide/"
DEADLINE_S = 10


@pytest.fixture(autouse=True)
def demo(settings):
    settings.MESHLINE_DEMO = True


@pytest.fixture
def guide(open_page):
    return open_page(PATH)


def test_styleguide_is_not_served_by_an_ordinary_installation(client, settings):
    settings.MESHLINE_DEMO = settings.DEBUG = False
    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_styleguide_passes_axe_and_fits_the_window(open_page, theme, width):
    page = open_page(PATH, theme=theme, width=width)
    assert page.locator("html").get_attribute("data-bs-theme") == theme
    assert list_violations(page) == []
    assert overflow_px(page) <= 0


def test_dialogs_pass_axe(guide):
    guide.keyboard.press("?")
    assert guide.locator("#keys-help").is_visible()
    assert list_violations(guide) == []


def test_theme_choice_is_kept(guide):
    for _ in range(2):
        guide.locator("[data-theme-toggle]").click()
    guide.reload()
    assert guide.locator("html").get_attribute("data-theme-choice") == "dark"
    assert guide.locator("html").get_attribute("data-bs-theme") == "dark"


def test_keys_move_and_select_rows_and_the_bar_sums_exactly(guide):
    for key in "jxjx":
        guide.keyboard.press(key)
    bar = guide.locator("#sample-rows [data-bulkbar]")
    assert bar.locator("[data-count]").inner_text() == "2"
    assert bar.locator("[data-sums]").inner_text() == "EUR 48,200.00 · USD 112,940.00"
    guide.keyboard.press("Escape")
    assert bar.is_hidden()


def test_shift_click_selects_a_range_and_all_offers_the_whole_filter(guide):
    boxes = guide.locator("#sample-rows [data-select]")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    assert guide.locator("#sample-rows [data-select]:checked").count() == 3
    assert guide.locator("[data-select-matching]").is_hidden()
    guide.locator("[data-select-all]").click()
    guide.locator("[data-select-matching]").click()
    assert guide.locator("[data-count]").inner_text() == "All matching (4,238)"
    assert guide.locator("[data-all-matching]").input_value() == "1"
    boxes.nth(0).click()
    assert guide.locator("[data-all-matching]").input_value() == ""


def test_enter_opens_the_current_row(guide):
    guide.keyboard.press("j")
    guide.keyboard.press("Enter")
    assert guide.url.endswith("#tkt_0")


def test_keys_do_nothing_while_typing(guide):
    guide.locator("input[type=search]").first.focus()
    guide.keyboard.type("jxa?")
    assert guide.locator("tr.is-current").count() == 0
    assert guide.locator("dialog[open]").count() == 0


def test_keys_can_be_switched_off(guide):
    guide.keyboard.press("?")
    guide.locator("[data-keys-switch]").uncheck()
    guide.keyboard.press("Escape")
    guide.keyboard.press("j")
    assert guide.locator("tr.is-current").count() == 0


def test_help_lists_the_keys_of_the_page(guide):
    guide.keyboard.press("?")
    text = guide.locator("#keys-help").inner_text()
    assert "Next row" in text
    assert "Preview replay" in text


def test_a_form_that_asks_first_goes_on_only_after_yes(guide):
    guide.keyboard.press("j")
    guide.keyboard.press("x")
    guide.get_by_role("button", name="Assign", exact=True).click()
    confirm = guide.locator("#confirm")
    assert confirm.locator("[data-confirm-text]").inner_text() == "Assign the selected tickets to yourself?"
    confirm.get_by_role("button", name="Cancel").click()
    assert "ticket=" not in guide.url
    guide.get_by_role("button", name="Assign", exact=True).click()
    confirm.get_by_role("button", name="Go on").click()
    guide.wait_for_url("**/*ticket=tkt_0*")


def test_htmx_error_is_told_in_the_servers_words(guide):
    answer = {
        "status": 409,
        "content_type": "application/problem+json",
        "body": '{"title": "Too late", "detail": "tkt_1 was closed by Bob."}',
    }
    guide.route("**/conflict/", lambda route: route.fulfill(**answer))
    guide.evaluate("htmx.ajax('POST', '/conflict/', {target: '#main', swap: 'none'}).catch(() => {})")
    toast = guide.locator(".toast-error")
    toast.wait_for()
    assert "Too late: tkt_1 was closed by Bob." in toast.inner_text()


def test_a_swap_keeps_focus_and_selection(guide):
    rows = guide.locator("#sample-rows")
    newer = rows.evaluate("form => form.outerHTML").replace("Acme Corporation", "Acme Incorporated")
    guide.route("**/rows/", lambda route: route.fulfill(body=newer))
    guide.keyboard.press("j")
    guide.keyboard.press("x")
    guide.evaluate("htmx.ajax('GET', '/rows/', {target: '#sample-rows', swap: 'outerHTML'})")
    expect(rows).to_contain_text("Acme Incorporated")
    expect(rows.locator("[data-row=tkt_0]")).to_be_focused()
    expect(rows.locator("[data-select]:checked")).to_have_count(1)
    expect(rows.locator("[data-count]")).to_have_text("1")


def test_polling_rests_while_a_dialog_is_open(guide):
    asked = []
    guide.route("**/live/", lambda route: (asked.append(route.request.url), route.fulfill(body="fresh")))
    guide.evaluate("""() => {
        const box = document.createElement("div");
        box.id = "box";
        box.innerHTML = '<p id="poll" data-live hx-get="/live/" hx-trigger="every 50ms">stale</p>';
        document.getElementById("keys-help").showModal();
        document.getElementById("main").append(box);
        window.refused = 0;
        document.addEventListener("htmx:beforeRequest", (event) => event.defaultPrevented && window.refused++);
        htmx.process(box);
    }""")
    expect(guide.locator("#poll")).to_have_text("stale")
    deadline = time.monotonic() + DEADLINE_S
    while guide.evaluate("window.refused") < 3 and time.monotonic() < deadline:
        guide.evaluate("new Promise(requestAnimationFrame)")
    assert asked == []
    guide.keyboard.press("Escape")
    expect(guide.locator("#poll")).to_have_text("fresh")


def test_login_offers_the_demo_people_only_in_a_demo(open_page, settings):
    settings.MESHLINE_DEMO_LOGINS = [
        {"username": "dana", "password": "a long pass phrase", "name": "Dana Kim", "role": "Finance ops analyst"}
    ]
    page = open_page("/login/")
    page.get_by_role("button", name="Dana Kim").click()
    assert page.locator("#id_username").input_value() == "dana"
    assert page.locator("#id_password").input_value() == "a long pass phrase"
    assert list_violations(page) == []
    settings.MESHLINE_DEMO = False
    page.reload()
    assert page.get_by_text("Dana Kim").count() == 0
