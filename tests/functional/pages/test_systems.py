from __future__ import annotations

from django.test import Client

from meshline.audit.models import AuditEvent
from ownership.models import System
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
