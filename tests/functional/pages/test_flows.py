from __future__ import annotations

from datetime import timedelta
from html import unescape

from django.test import Client

from syncflows.engine import figures
from syncflows.engine.enums import RunStatus
from syncflows.engine.figures import StatusCount
from syncflows.engine.models import Event
from syncflows.governance.models import DefinitionVersion
from tests.functional.pages.conftest import Company
from tests.integration.engine import deals

ENDED_AND_WAITING = (
    (RunStatus.COMPLETED, 6), (RunStatus.IGNORED, 2), (RunStatus.SUPERSEDED, 1), (RunStatus.FAILED, 1), (RunStatus.HELD, 50), (RunStatus.PENDING, 7),
)  # fmt: skip


def test_flow_list_shows_steps_counts_and_gaps(as_charlie: Client, company: Company) -> None:
    text = as_charlie.get("/flows/").content.decode()
    for part in ("create-order", "create-invoice", "deal.changed from crm", "Alice Adams", "2 gaps"):
        assert part in text


def test_flow_page_says_its_rules_in_words_and_its_guards(as_charlie: Client, company: Company) -> None:
    text = unescape(as_charlie.get("/flows/deals/").content.decode())
    assert "it waits for an approval by the team sales-leaders within 1 day" in text
    assert "We look our reference up before anything is sent a second time." in text
    assert "deals has no sink owner" in text
    assert "Success" in text


def test_flow_counts_open_exactly_their_rows(as_charlie: Client, company: Company) -> None:
    counts = as_charlie.get("/flows/deals/").context["counts"]
    assert {item.status.value for item in counts} == {"completed", "held", "ignored", "failed"}
    for item in counts:
        assert len(as_charlie.get(item.url).context["runs"]) == item.count


def test_flow_page_compares_a_version_with_the_one_before(as_charlie: Client, company: Company, erp: str) -> None:
    deals.define(erp, on_change="ignore")
    versions = DefinitionVersion.objects.filter(definition__kind="Flow", definition__name="deals")
    assert versions.count() == 2
    rows = as_charlie.get("/flows/deals/", {"compare": "Flow/deals/2"}).context["comparison"].rows
    changed = {row["field"]: (row["before"], row["after"]) for row in rows}
    assert changed["spec.steps[create-order].on_change"] == ("duplicate", "ignore")


def test_flow_page_refuses_to_compare_what_is_not_its_own(as_charlie: Client, company: Company) -> None:
    for asked in ("System/erp/1", "Flow/deals/x", "Flow/deals/99", "nonsense"):
        assert as_charlie.get("/flows/deals/", {"compare": asked}).status_code in (400, 404)


def test_flow_page_asks_a_fixed_number_of_queries(
    as_charlie: Client, company: Company, django_assert_max_num_queries
) -> None:
    as_charlie.get("/flows/deals/")
    with django_assert_max_num_queries(16):
        as_charlie.get("/flows/deals/")


def test_success_counts_what_came_to_an_end_and_nothing_that_waits() -> None:
    counts = [StatusCount(status, number, "") for status, number in ENDED_AND_WAITING]
    assert figures.success_rate(counts) == 9 / 10
    assert figures.success_rate([StatusCount(RunStatus.HELD, 3, "")]) is None


def test_latencies_leave_out_imported_history_and_count_it(as_charlie: Client, company: Company) -> None:
    event = company.completed.event
    Event.objects.filter(pk=event.pk).update(occurred_at=event.received_at - timedelta(hours=25))
    [found] = figures.latencies(figures.since(figures.DAY), flow="deals")
    assert (found.count, found.imported, found.p50) == (0, 1, None)
    assert list(as_charlie.get(found.url).context["runs"]) == []
    assert "1 run of imported history" in as_charlie.get("/flows/deals/").content.decode()
    Event.objects.filter(pk=event.pk).update(occurred_at=event.received_at - timedelta(hours=23))
    [found] = figures.latencies(figures.since(figures.DAY), flow="deals")
    assert (found.count, found.imported, len(as_charlie.get(found.url).context["runs"])) == (1, 0, 1)
    assert found.p50 is not None
    assert found.p50 >= timedelta(hours=23)
