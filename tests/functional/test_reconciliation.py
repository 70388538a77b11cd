"""Pages of reconciliation, with nothing and with what a comparison found; and in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.test import Client

from meshline.kernel.navigation import badge_for
from reconciliation import runs
from reconciliation.enums import DiscrepancyStatus, ReconciliationStatus
from reconciliation.models import Discrepancy, ReconciliationRun
from syncflows.engine import connections
from syncflows.sandbox.server import SandboxServer
from tests.factories import comparisons, people
from tests.functional.conftest import NARROW, WIDE

HOSTILE = "opp_<script>alert(1)</script>"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(store=Path(tmp_path_factory.mktemp("erp")) / "store.sqlite") as running:
        yield running


@pytest.fixture
def alice(db: None, client: Client) -> Client:
    client.force_login(people.alice())
    return client


@pytest.fixture
def auditor(db: None) -> Client:
    client = Client()
    client.force_login(people.charlie())
    return client


@pytest.fixture
def erp(sandbox: SandboxServer, db: None) -> Iterator[httpx.Client]:
    httpx.post(f"{sandbox.url}/_control/reset", trust_env=False).raise_for_status()
    comparisons.define(sandbox.url)
    with comparisons.client(sandbox.url) as client:
        yield client
    connections.close_all()


@pytest.fixture
def found(erp: httpx.Client, sandbox: SandboxServer) -> ReconciliationRun:
    """One of every kind, one of them with a hostile reference."""
    customer = comparisons.customer(sandbox.url)
    comparisons.deliver("1", "2", "3", "4", customer_id=customer)
    numbers = {item["external_id"]: item["number"] for item in erp.get("/orders").json()["items"]}
    lines = [{"sku": "KI-1", "quantity": 1, "unit_price": "90.00"}]
    erp.patch(f"/orders/{numbers['opp_1']}", json={"total": "90.00", "lines": lines}).raise_for_status()
    erp.post(f"/orders/{numbers['opp_2']}/cancel").raise_for_status()
    for reference in ("opp_3", HOSTILE):
        erp.post("/orders", json=comparisons.order(customer, reference)).raise_for_status()
    return comparisons.compare()


def body(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def test_pages_say_what_will_appear_where_there_is_nothing(alice):
    assert "No flow can be compared yet" in body(alice, "/reconciliation/")
    assert "No discrepancy yet" in body(alice, "/reconciliation/discrepancies/")


def test_a_flow_that_was_never_compared_can_be_started(alice, erp):
    text = body(alice, "/reconciliation/")
    assert "Never compared" in text
    assert "No comparison made yet" in text
    answer = alice.post("/reconciliation/start/", {"flow": "deals", "window_days": "400"})
    run = ReconciliationRun.objects.get()
    assert answer["Location"] == f"/reconciliation/runs/{run.public_id}/"
    assert (run.status, (run.window_to - run.window_from).days) == (ReconciliationStatus.RUNNING, 399)
    assert "Comparing." in body(alice, answer["Location"])
    runs.carry(run_id=run.pk, by=comparisons.TESTER)
    assert "Nothing to compare in this window" in body(alice, answer["Location"])


def test_start_tells_what_is_wrong(alice, auditor, erp):
    for data in ({"flow": "deals", "window_days": "0"}, {"flow": "nonsense"}, {}):
        assert alice.post("/reconciliation/start/", data, follow=True).status_code == 200
    assert auditor.post("/reconciliation/start/", {"flow": "deals"}).status_code == 403
    assert not ReconciliationRun.objects.exists()
    assert "Your role may not start a reconciliation" in body(auditor, "/reconciliation/")


def test_overview_shows_totals_drift_and_kinds(alice, found):
    text = body(alice, "/reconciliation/")
    assert "100.00 %" not in text
    assert "80.00 %" in text  # 4 of 5
    for kind in ("differs", "missing_in_target", "missing_in_source", "duplicate"):
        assert f"?flow=deals&amp;kind={kind}&amp;status=open" in text


def test_counts_of_a_comparison_open_exactly_their_rows(alice, found):
    comparisons.compare()  # sees the same again, later
    page = f"/reconciliation/runs/{found.public_id}/"
    assert body(alice, page).count("<tr data-row=") == 4
    for kind in ("differs", "missing_in_target", "missing_in_source", "duplicate"):
        answer = alice.get(page, {"kind": kind})
        assert [row.kind for row in answer.context["discrepancies"]] == [kind]
        assert answer.context["total"] == getattr(found, kind)


def test_a_partial_is_only_the_comparison(alice, found):
    answer = alice.get(f"/reconciliation/runs/{found.public_id}/", headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="comparison"')
    assert "HX-Request" in answer["Vary"]


def test_every_discrepancy_shows_both_sides_escaped(alice, found):
    for row in Discrepancy.objects.all():
        text = body(alice, f"/reconciliation/discrepancies/{row.public_id}/")
        assert "Check again now" in text
        assert row.ticket.remedy[:20] in text
        assert "<script>alert" not in text


def test_check_again_says_what_differs_and_then_that_it_agrees(alice, auditor, found, erp):
    row = Discrepancy.objects.get(key="opp_1")
    path = f"/reconciliation/discrepancies/{row.public_id}/recheck/"
    assert auditor.post(path).status_code == 403
    assert "It still differs" in alice.post(path, follow=True).content.decode()
    lines = [{"sku": "KI-1", "quantity": 1, "unit_price": "100.00"}]
    erp.patch(f"/orders/{row.theirs[0]['id']}", json={"total": "100.00", "lines": lines}).raise_for_status()
    assert "Both sides agree on opp_1" in alice.post(path, follow=True).content.decode()
    row.refresh_from_db()
    assert row.status == DiscrepancyStatus.RESOLVED


def test_check_again_tells_that_the_target_is_down(alice, found, sandbox):
    httpx.post(
        f"{sandbox.url}/_control/faults",
        json={"system": "erp", "kind": "status", "params": {"status": 503}},
        trust_env=False,
    ).raise_for_status()
    row = Discrepancy.objects.first()
    assert (
        "could not be checked"
        in alice.post(f"/reconciliation/discrepancies/{row.public_id}/recheck/", follow=True).content.decode()
    )


def test_a_failed_comparison_shows_why(alice, found, sandbox):
    httpx.post(
        f"{sandbox.url}/_control/faults",
        json={"system": "erp", "kind": "status", "params": {"status": 503}},
        trust_env=False,
    ).raise_for_status()
    run = comparisons.compare()
    assert run.status == ReconciliationStatus.FAILED
    assert "Nothing was judged." in body(alice, f"/reconciliation/runs/{run.public_id}/")
    assert "could not be made" in body(alice, "/reconciliation/")


def test_unknown_ids_and_bad_filters_are_answered_in_words(alice, found):
    for path in ("/reconciliation/runs/rec_no/", "/reconciliation/discrepancies/dis_no/", "/reconciliation/runs/a\0b/"):
        assert alice.get(path).status_code == 404
    assert "cannot be read" in body(alice, "/reconciliation/discrepancies/?kind=nonsense")
    assert "No discrepancy matches" in body(alice, "/reconciliation/discrepancies/?key=%00zzz&cursor=zz")


def test_pages_take_a_person_who_is_logged_in(client, db):
    for path in (
        "/reconciliation/",
        "/reconciliation/runs/rec_1/",
        "/reconciliation/discrepancies/",
        "/reconciliation/discrepancies/dis_1/",
    ):
        assert client.get(path).status_code == 302


def test_the_badge_counts_open_discrepancies(found):
    badge = badge_for("reconciliation", user=people.alice())
    assert (badge.count, badge.meaning) == (4, "open discrepancies")


def test_queries_of_the_pages_do_not_grow(alice, found, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        body(alice, "/reconciliation/")
    with django_assert_max_num_queries(12):
        body(alice, f"/reconciliation/runs/{found.public_id}/")


def test_admin_shows_both_and_changes_nothing(client, found):
    client.force_login(people.person("Adam Admin", role="admin", is_staff=True, is_superuser=True))
    for path in ("reconciliationrun", "discrepancy"):
        assert client.get(f"/admin/reconciliation/{path}/").status_code == 200
        assert client.get(f"/admin/reconciliation/{path}/add/").status_code == 403


@pytest.mark.parametrize(("theme", "width"), [("light", WIDE), ("dark", NARROW)])
def test_pages_pass_axe_and_fit_the_window(open_page, transactional_db, erp, found, client, theme, width):
    from tests.functional.accessibility import list_violations, overflow_px

    client.force_login(people.alice())
    row = Discrepancy.objects.get(kind="duplicate")
    for path in (
        "/reconciliation/",
        f"/reconciliation/runs/{found.public_id}/",
        "/reconciliation/discrepancies/",
        f"/reconciliation/discrepancies/{row.public_id}/",
    ):
        page = open_page(path, theme=theme, width=width, session=client)
        assert list_violations(page) == [], path
        assert overflow_px(page) <= 0, path
