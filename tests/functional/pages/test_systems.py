from __future__ import annotations

from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from meshline.audit.models import AuditEvent
from ownership.models import System
from tests.functional.accessibility import list_violations, overflow_px
from tests.functional.conftest import NARROW, WIDE, OpenPage
from tests.functional.pages.conftest import Company


def test_system_page_shows_guards_and_no_secret(as_charlie: Client, company: Company) -> None:
    text = as_charlie.get("/systems/erp/").content.decode()
    assert "We look our reference up before anything is sent a second time." in text
    assert "DEALS_ERP_TOKEN" in text
    assert "erp-demo-token" not in text


def test_pause_and_resume_take_a_reason_and_leave_an_audit_row(as_alice: Client, company: Company) -> None:
    assert as_alice.post("/systems/erp/pause/", {"reason": " "}).status_code == 422
    assert System.objects.get(name="erp").state == "up"
    as_alice.post("/systems/erp/pause/", {"reason": "month end"})
    assert System.objects.get(name="erp").state == "paused"
    as_alice.post("/systems/erp/resume/", {"reason": "books closed"})
    assert System.objects.get(name="erp").state == "up"
    acts = (
        AuditEvent.objects.filter(object_kind="system").order_by("number").values_list("act", "reason", "actor_label")
    )
    assert list(acts) == [
        ("system.paused", "month end", "Alice Adams"),
        ("system.resumed", "books closed", "Alice Adams"),
    ]


def test_who_may_not_operate_systems_changes_nothing(as_charlie: Client, company: Company) -> None:
    for act in ("pause", "resume", "check"):
        assert as_charlie.post(f"/systems/erp/{act}/", {"reason": "because"}).status_code == 403
    assert System.objects.get(name="erp").state == "up"
    assert not AuditEvent.objects.filter(object_kind="system").exists()
    assert "disabled" in as_charlie.get("/systems/erp/").content.decode()


def test_check_now_asks_the_system(as_alice: Client, company: Company) -> None:
    answer = as_alice.post("/systems/erp/check/", follow=True)
    assert "Erp" in answer.content.decode() or "ERP" in answer.content.decode()
    assert [str(message) for message in answer.context["messages"]]


def test_circuit_is_opened_and_closed_by_hand_with_its_history_in_sight(as_alice: Client, company: Company) -> None:
    assert "Its circuit was always closed" in as_alice.get("/systems/erp/").content.decode()
    as_alice.post("/systems/erp/open/", {"reason": "they restore a backup"})
    assert System.objects.get(name="erp").circuit == "open"
    text = as_alice.get("/systems/erp/").content.decode()
    assert "they restore a backup" in text
    assert "Close the circuit" in text
    as_alice.post("/systems/erp/close/", {"reason": "restored"})
    assert System.objects.get(name="erp").circuit == "closed"
    acts = AuditEvent.objects.filter(object_kind="system").order_by("number").values_list("act", "reason")
    assert list(acts) == [("system.circuit_opened", "they restore a backup"), ("system.circuit_closed", "restored")]


def test_pages_show_the_numbers_and_say_when_the_counters_are_lost(
    as_charlie: Client, company: Company, settings: Settings, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(13):
        assert "Runs that wait for it" in as_charlie.get("/systems/erp/").content.decode()
    with django_assert_max_num_queries(13):
        as_charlie.get("/systems/")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    text = as_charlie.get("/systems/erp/").content.decode()
    assert "The shared counters do not answer." in text
    assert "one part in 4 of the limits" in text


def test_page_of_a_system_in_trouble_passes_axe_and_fits(
    open_page: OpenPage, as_alice: Client, company: Company
) -> None:
    as_alice.post("/systems/erp/open/", {"reason": "they restore a backup"})
    for theme, width in (("light", WIDE), ("dark", NARROW)):
        page = open_page("/systems/erp/", session=as_alice, theme=theme, width=width)
        assert list_violations(page) == []
        assert overflow_px(page) <= 0
    page.get_by_label("Why").fill("restored")
    page.get_by_role("button", name="Close").click()
    page.wait_for_load_state()
    assert page.get_by_text("The circuit of ERP is closed").count() >= 1
    assert System.objects.get(name="erp").circuit == "closed"
