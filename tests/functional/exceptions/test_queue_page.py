"""The queue page: who sees what, filters, order, paging, CSV, counts of queries, hostile content."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

import pytest
from django.test import Client

from exceptions import tickets
from exceptions.models import Ticket
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db

MANY = 200
QUERIES = 13
HOSTILE = '<script>alert("x")</script> 🎉 שלום =HYPERLINK("http://x")'


def shown(page: str) -> list[str]:
    return re.findall(r'data-row="(tkt_\w+)"', page)


def many(number: int) -> list[Ticket]:
    failures = [
        records.failure(records.run(amount=Decimal(place % 7), customer=f"Customer {place}")) for place in range(number)
    ]
    return tickets.open_all(failures)


def test_queue_sends_a_stranger_to_the_log_in(client: Client) -> None:
    for path in ("/queue/", "/queue/export.csv", "/approvals/", "/tickets/tkt_1/", "/approvals/apr_1/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/login/")


@pytest.mark.parametrize("make_person", [people.alice, people.bob, people.charlie])
def test_queue_is_shown_to_every_role_and_says_what_is_missing(client_of, make_person) -> None:
    page = client_of(make_person()).get("/queue/?view=mine").content.decode()
    assert "Nothing waits for you" in page


def test_queue_without_any_ticket_says_how_they_come(client_of) -> None:
    page = client_of(people.alice()).get("/queue/?view=open").content.decode()
    assert "Whatever cannot finish by itself becomes a ticket" in page
    assert "manage.py ingest" in page


def test_queue_shows_mine_first_and_all_where_a_filter_is_given(client_of) -> None:
    alice, mine, other = people.alice(), make.ticket(), make.ticket()
    tickets.assign(mine, to=alice, by=alice)
    client = client_of(alice)
    assert shown(client.get("/queue/").content.decode()) == [mine.public_id]
    assert set(shown(client.get("/queue/?class=data_quality").content.decode())) == {mine.public_id, other.public_id}
    assert shown(client.get("/queue/?class=policy").content.decode()) == []


def test_queue_shows_all_open_ones_to_who_has_none(client_of) -> None:
    alice, bob, mine, other = people.alice(), people.bob(), make.ticket(), make.ticket()
    tickets.assign(mine, to=alice, by=alice)
    page = client_of(bob).get("/queue/").content.decode()
    assert set(shown(page)) == {mine.public_id, other.public_id}
    assert 'hx-get="/queue/?view=open"' in page, "a poll keeps the view, whatever becomes one's own meanwhile"


def test_queue_shows_the_rare_filters_where_one_is_set(client_of) -> None:
    client = client_of(people.alice())
    assert 'class="filter-more"' in client.get("/queue/?view=open").content.decode()
    assert 'class="filter-more is-open"' in client.get("/queue/?view=open&amount_min=5").content.decode()


def test_queue_says_what_the_list_comes_to(client_of) -> None:
    many(3)
    page = client_of(people.alice()).get("/queue/?view=open").content.decode()
    summary = re.sub(r"<[^>]+>", "", page.split('id="queue-summary"')[1].split("</span>\n")[0])
    assert "3 open" in re.sub(r"\s+", " ", summary)
    assert "EUR 3.00 at risk" in re.sub(r"\s+", " ", summary)
    assert "none breached" in summary


def test_queue_takes_the_same_queries_for_one_ticket_and_for_two_hundred(client_of, django_assert_num_queries) -> None:
    client = client_of(people.alice())
    many(1)
    client.get("/queue/?view=open")
    with django_assert_num_queries(QUERIES):
        client.get("/queue/?view=open")
    many(MANY)
    with django_assert_num_queries(QUERIES):
        page = client.get("/queue/?view=open").content.decode()
    assert len(shown(page)) == 50


@pytest.mark.parametrize("sort", ["", "due", "-due", "amount", "-amount", "opened", "-opened", "nonsense"])
def test_queue_pages_show_each_ticket_once_in_every_order(client_of, sort) -> None:
    made = {ticket.public_id for ticket in many(120)}
    client, seen, cursor = client_of(people.alice()), [], ""
    for _ in range(4):
        page = client.get("/queue/", {"view": "open", "sort": sort, "cursor": cursor}).content.decode()
        seen += shown(page)
        found = re.search(r'rel="next" href="[^"]*cursor=(\w+)', page)
        if not found:
            break
        cursor = found[1]
    assert len(seen) == len(made)
    assert set(seen) == made


def test_queue_page_back_shows_the_page_before(client_of) -> None:
    many(60)
    client = client_of(people.alice())
    first = client.get("/queue/?view=open").content.decode()
    second = client.get("/queue/", {"view": "open", "cursor": shown(first)[-1]}).content.decode()
    back = re.search(r'rel="prev" href="[^"]*cursor=([\w-]+)', second)
    assert shown(client.get("/queue/", {"view": "open", "cursor": back[1]}).content.decode()) == shown(first)


@pytest.mark.parametrize(
    "query",
    [
        "amount_min=ten",
        "status=nope",
        "view=nope",
        "opened_after=yesterday",
        "cursor=%00",
        "cursor=tkt_none",
        "q=%00",
        "sort=%00",
        "severity=x&queue=%00",
    ],
)
def test_queue_survives_what_it_cannot_read(client_of, query) -> None:
    make.ticket()
    assert client_of(people.alice()).get(f"/queue/?view=open&{query}").status_code == 200


def test_queue_says_which_filter_cannot_be_read(client_of) -> None:
    page = client_of(people.alice()).get("/queue/?view=open&amount_min=ten").content.decode()
    assert "A filter cannot be read" in page
    assert "amount_min: Enter a number." in page


def test_queue_shows_hostile_text_as_text(client_of) -> None:
    make.ticket(message=HOSTILE, customer=HOSTILE, canonical_key=HOSTILE[:40])
    page = client_of(people.alice()).get("/queue/?view=open").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "🎉 שלום" in page


def test_queue_partial_is_only_the_live_part_with_its_summary(client_of) -> None:
    make.ticket()
    answer = client_of(people.alice()).get("/queue/?view=open", HTTP_HX_REQUEST="true")
    page = answer.content.decode()
    assert "<html" not in page
    assert page.count('id="queue-live"') == 1
    assert 'hx-swap-oob="true"' in page
    assert answer["Vary"].startswith("HX-Request")


def test_queue_csv_has_every_row_and_no_formula(client_of) -> None:
    many(60)
    make.ticket(message="=cmd|' /C calc'!A0", customer="@SUM(1)")
    answer = client_of(people.charlie()).get("/queue/export.csv?view=open")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert len(rows) == 61
    risky = [row for row in rows if "calc" in row["what happened"]]
    assert risky[0]["what happened"].startswith("'=")
    assert risky[0]["customer"].startswith("'@")


def test_header_counts_my_tickets_and_my_approvals(client_of) -> None:
    alice, bob, mine = people.alice(), people.bob(), make.ticket()
    tickets.assign(mine, to=alice, by=alice)
    make.approval(bob)
    assert ", 1 open tickets of yours" in client_of(alice).get("/queue/").content.decode()
    assert ", 1 approvals waiting for you" in client_of(bob).get("/queue/").content.decode()
