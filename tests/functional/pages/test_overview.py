from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from syncflows.engine import figures
from tests.functional.pages.conftest import Company

LINK_WITH_COUNT = re.compile(r'<a(?: class="[^"]*")? href="(/runs/\?[^"]+)">(\d+)<')


def test_overview_shows_what_is_at_risk_and_delivered(as_alice: Client, company: Company) -> None:
    text = as_alice.get("/").content.decode()
    assert "200.00" in text  # two records of 100.00 are held back by tickets
    assert "1 of 1" in re.sub(r"<[^>]+>", "", text)
    assert company.completed.canonical_key in text


def test_every_figure_over_runs_opens_exactly_its_rows(as_alice: Client, company: Company) -> None:
    found = LINK_WITH_COUNT.findall(as_alice.get("/").content.decode())
    assert len(found) > 8
    for url, number in found:
        answer = as_alice.get(unescape(url))
        assert (url, len(answer.context["runs"])) == (url, int(number))


def test_delivered_counts_a_record_once_whatever_the_number_of_its_events(company: Company) -> None:
    week = figures.delivered(figures.since(figures.WEEK), flows=["deals"])
    assert (week.count, [(code, str(total.normalize())) for code, total, _ in week.amounts]) == (1, [("USD", "1E+2")])


def test_overview_asks_the_same_number_of_queries_however_many_rows(
    as_alice: Client, company: Company, django_assert_max_num_queries
) -> None:
    as_alice.get("/")
    with django_assert_max_num_queries(28):
        as_alice.get("/")


def test_overview_renews_only_its_live_part(as_alice: Client, company: Company) -> None:
    part = as_alice.get("/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="overview-now"')
    assert "<html" not in part


@pytest.mark.parametrize("path", ["/", "/flows/", "/runs/"])
def test_pages_tell_caches_that_partials_differ(as_alice: Client, company: Company, path: str) -> None:
    assert "HX-Request" in as_alice.get(path)["Vary"]
