from __future__ import annotations

from html import escape

import pytest
from django.test import Client

from syncflows.engine.models import Event, Run
from tests.functional.pages.conftest import HOSTILE, Company
from tests.integration.engine import deals


def record(run: Run) -> str:
    return f"/trace/{run.public_id}/"


def test_search_goes_straight_to_the_only_record(as_charlie: Client, company: Company) -> None:
    run = company.completed
    names = [
        run.canonical_key,
        run.public_id,
        run.correlation_id,
        run.outcome,
        run.outcome.lower(),
        run.event.public_id,
    ]
    assert {name: as_charlie.get("/trace/", {"q": name}).headers.get("Location") for name in names} == dict.fromkeys(
        names, record(run)
    )


def test_search_of_a_quarantined_event_opens_its_page(as_charlie: Client, company: Company) -> None:
    answer = as_charlie.get("/trace/", {"q": company.quarantined.public_id}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/trace/event/{company.quarantined.public_id}/"
    assert company.quarantined.problem in answer.content.decode().replace("&#x27;", "'").replace("&quot;", '"')


def test_search_of_a_customer_lists_their_runs_page_by_page(
    as_charlie: Client, company: Company, customer_id: str
) -> None:
    deals.send(*range(100, 130), customer_id=customer_id)
    Run.objects.filter(customer="").update(customer=customer_id)
    first = as_charlie.get("/trace/", {"q": customer_id[:4]})
    assert len(first.context["page"].rows) == 25
    second = as_charlie.get("/trace/", {"q": customer_id[:4], "cursor": first.context["page"].next_cursor})
    shown = [run.pk for answer in (first, second) for run in answer.context["page"].rows]
    assert len(shown) == len(set(shown)) > 30
    back = as_charlie.get("/trace/", {"q": customer_id[:4], "cursor": second.context["page"].previous_cursor})
    assert back.context["page"].rows == first.context["page"].rows


@pytest.mark.parametrize("text", ["\0", "%", "'; DROP TABLE", "x" * 5000, "🧾", "run_", "tkt_none"])
def test_search_of_anything_answers(as_charlie: Client, company: Company, text: str) -> None:
    assert as_charlie.get("/trace/", {"q": text}).status_code in (200, 302)


def test_timeline_tells_facts_steps_attempts_payload_and_document(as_charlie: Client, company: Company) -> None:
    text = as_charlie.get(record(company.completed)).content.decode()
    for part in (
        "Plan: create-order",
        "Acknowledged",
        "idempotency key",
        "Canonical document",
        company.completed.outcome,
        "As it arrived",
    ):
        assert part in text


def test_timeline_of_a_held_run_says_what_comes_next_and_names_its_ticket(as_charlie: Client, company: Company) -> None:
    text = as_charlie.get(record(company.held)).content.decode()
    assert "Discount above the cap on D2" in text
    assert company.held.tickets.get().public_id in text


def test_hostile_text_is_shown_as_text(as_charlie: Client, company: Company) -> None:
    text = as_charlie.get(record(company.failed)).content.decode()
    assert HOSTILE not in text
    assert escape(HOSTILE).replace("&#x27;", "&#39;") in text.replace("&#x27;", "&#39;")


def test_event_page_shows_what_could_not_be_read(as_charlie: Client) -> None:
    event = Event.objects.create(
        source="crm",
        source_event_id="x",
        type="",
        status="quarantined",
        raw="<b>{broken",
        correlation_id="c",
        problem="not JSON",
    )
    text = as_charlie.get(f"/trace/event/{event.public_id}/").content.decode()
    assert "&lt;b&gt;{broken" in text


def test_timeline_asks_a_fixed_number_of_queries(
    as_charlie: Client, company: Company, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(16):
        as_charlie.get(record(company.completed))
