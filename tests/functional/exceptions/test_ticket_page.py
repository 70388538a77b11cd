"""One ticket: what it shows by class, every act with good and bad input, fix and replay, who may not."""

from __future__ import annotations

import json
import re

import pytest

from exceptions import tickets
from exceptions.enums import Resolution, TicketStatus
from exceptions.models import Ticket
from ownership.models import User
from syncflows.engine.enums import EventStatus, RunStatus
from syncflows.enums import ExceptionClass
from tests.factories import people, records
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db

QUERIES_MAX = 22
ACTS = ("accept", "replay", "assign", "wait", "resolve", "take", "reopen")
HOSTILE = '<img src=x onerror="alert(1)"> 🎉 שלום'


def page_of(client, ticket: Ticket, tail: str = "") -> str:
    answer = client.get(f"/tickets/{ticket.public_id}/{tail}")
    assert answer.status_code == 200, answer.content[:300]
    return answer.content.decode()


def test_ticket_shows_the_rule_and_offers_what_is_most_likely_first(client_of) -> None:
    page = page_of(client_of(people.alice()), make.acceptable())
    assert "20 % above list." in page
    assert "prices/price-window, version 2" in page
    assert re.findall(r'class="btn btn-primary" href="[^"]*/(\w+)/\?', page) == ["accept"]
    assert page.index(">Accept ") < page.index(">Fix and replay ") < page.index(">Resolve<")


def test_ticket_shows_violations_with_what_stands_there(client_of) -> None:
    context = {
        "payload": {"lines": [{"qty": -7}]},
        "violations": [{"path": "lines[0].qty", "message": "-7 is less than 1"}],
    }
    page = page_of(client_of(people.alice()), make.ticket(context=context))
    assert "-7 is less than 1" in page
    assert '<td dir="auto">-7</td>' in page


def test_ticket_shows_both_sides_with_the_differences_marked(client_of) -> None:
    context = {
        "ours": {"total": "10.00", "currency": "EUR"},
        "theirs": {"total": "9.00", "currency": "EUR"},
        "fields": [{"name": "total", "ours": "10.00", "theirs": "9.00"}],
    }
    page = page_of(client_of(people.alice()), make.ticket(exception_class=ExceptionClass.DRIFT, context=context))
    assert "<mark>10.00</mark>" in page
    assert "<mark>9.00</mark>" in page
    assert "<mark>EUR</mark>" not in page


def test_ticket_links_the_approval_it_waits_for(client_of) -> None:
    approval = make.approval(people.bob())
    page = page_of(client_of(people.alice()), approval.ticket)
    assert f'href="/approvals/{approval.public_id}/?' in page
    assert "Open its approval" in page


def test_ticket_takes_a_known_number_of_queries(client_of, django_assert_max_num_queries) -> None:
    ticket = make.ticket()
    for _ in range(30):
        make.ticket()
        tickets.comment(ticket, text="again", by=people.alice())
    client = client_of(people.alice())
    with django_assert_max_num_queries(QUERIES_MAX):
        page_of(client, ticket)


def test_ticket_knows_its_place_in_the_list_it_was_opened_from(client_of) -> None:
    first, second, third = (make.ticket() for _ in range(3))
    page = page_of(client_of(people.alice()), second, "?view=open")
    assert "2 of 3" in page
    assert f'/tickets/{third.public_id}/?view=open" data-key="j"' in page
    assert f'/tickets/{first.public_id}/?view=open" data-key="k"' in page


def test_ticket_shows_hostile_text_as_text(client_of) -> None:
    ticket = make.ticket(
        message=HOSTILE, remedy=HOSTILE, customer=HOSTILE, context={HOSTILE: HOSTILE, "payload": {HOSTILE: HOSTILE}}
    )
    tickets.comment(ticket, text=HOSTILE, by=people.alice())
    client = client_of(people.alice())
    for tail in ("", "?raw=failure", "fix/", "fix/?as=json", "resolve/"):
        assert "<img src=x" not in page_of(client, ticket, tail)


def test_an_unknown_ticket_is_not_found(client_of) -> None:
    client = client_of(people.alice())
    for path in (
        "/tickets/tkt_none/",
        "/tickets/tkt_none/fix/",
        "/tickets/tkt_none/resolve/",
        "/approvals/apr_none/",
        "/queue/bulk/blk_none/",
    ):
        assert client.get(path).status_code == 404
    assert client.get(f"/tickets/{make.ticket().public_id}/explode/").status_code == 404


@pytest.mark.parametrize("name", ["accept", "replay", "wait", "resolve"])
def test_an_act_without_a_reason_is_refused_and_changes_nothing(client_of, name) -> None:
    ticket = make.acceptable()
    answer = client_of(people.alice()).post(
        f"/tickets/{ticket.public_id}/{name}/", {"reason": "   ", "resolution": "written_off"}
    )
    assert answer.status_code == 422
    assert "field-errors" in answer.content.decode()
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


@pytest.mark.parametrize("name", ACTS)
def test_an_auditor_is_told_why_not(client_of, name) -> None:
    ticket, client = make.acceptable(), client_of(people.charlie())
    if name == "reopen":
        tickets.resolve(ticket, resolution=Resolution.WRITTEN_OFF, note="done", by=people.alice())
    page = page_of(client, ticket, f"{name}/")
    assert "Your role may not" in page
    answer = client.post(
        f"/tickets/{ticket.public_id}/{name}/", {"reason": "I try", "resolution": "written_off", "to": ""}
    )
    assert answer.status_code == 403
    assert "Your role may not" in answer.content.decode()
    before = ticket.status
    ticket.refresh_from_db()
    assert ticket.status == (TicketStatus.RESOLVED if name == "reopen" else before)


def test_accept_lets_the_record_go_on(client_of) -> None:
    ticket, alice = make.acceptable(), people.alice()
    answer = client_of(alice).post(f"/tickets/{ticket.public_id}/accept/", {"reason": "Agreed by mail"}, follow=True)
    ticket.refresh_from_db()
    assert (ticket.resolution, ticket.run.status) == (Resolution.ACCEPTED, RunStatus.PENDING)
    assert "Accepted. The record goes on." in answer.content.decode()


def test_a_conflict_is_a_sentence_and_keeps_what_was_typed(client_of) -> None:
    ticket = make.acceptable()
    tickets.resolve(ticket, resolution=Resolution.WRITTEN_OFF, note="gone", by=people.alice())
    answer = client_of(people.alice()).post(f"/tickets/{ticket.public_id}/accept/", {"reason": "My long reason"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "is resolved already" in page
    assert "My long reason" in page


def test_assign_takes_people_teams_and_the_pool(client_of) -> None:
    alice, ticket, desk = people.alice(), make.ticket(), people.team("deal-desk")
    client, path = client_of(alice), f"/tickets/{ticket.public_id}/assign/"
    for to, owner, queue in (
        (f"user:{alice.public_id}", alice, ticket.queue),
        ("team:deal-desk", None, desk),
        ("", None, desk),
    ):
        assert client.post(path, {"to": to}).status_code == 302
        ticket.refresh_from_db()
        assert (ticket.owner, ticket.queue) == (owner, queue)
    assert client.post(path, {"to": "user:usr_nobody"}).status_code == 422


def test_take_is_offered_to_everybody_but_the_owner(client_of) -> None:
    alice, bob, ticket = people.alice(), people.bob(), make.ticket()
    tickets.assign(ticket, to=alice, by=alice)
    assert "Take it" not in page_of(client_of(alice), ticket)
    assert "Take it" in page_of(client_of(bob), ticket)


def test_rare_acts_are_behind_more(client_of) -> None:
    page = page_of(client_of(people.alice()), make.ticket())
    assert page.index("Fix and replay") < page.index("acts-more") < page.index("Let it wait")


def test_take_wait_resolve_and_reopen(client_of) -> None:
    alice, ticket = people.alice(), make.ticket()
    client = client_of(alice)
    for name, data, status in (
        ("take", {}, TicketStatus.ACKNOWLEDGED),
        ("wait", {"reason": "customer"}, TicketStatus.WAITING),
        ("resolve", {"resolution": "written_off", "reason": "too small"}, TicketStatus.RESOLVED),
        ("reopen", {"reason": "not small"}, TicketStatus.OPEN),
    ):
        assert client.post(f"/tickets/{ticket.public_id}/{name}/", data).status_code == 302
        ticket.refresh_from_db()
        assert ticket.status == status
    assert ticket.first_touch_at


def test_comment_is_kept_and_an_empty_one_refused(client_of) -> None:
    ticket, client = make.ticket(), client_of(people.alice())
    path = f"/tickets/{ticket.public_id}/comment/"
    assert client.post(path, {"text": "  "}).status_code == 422
    assert client.post(path, {"text": "x" * 5001}).status_code == 422
    assert client.post(path, {"text": "Called them. שלום 🎉"}).status_code == 302
    assert "Called them. שלום 🎉" in page_of(client, ticket)


def test_news_tells_only_what_happened_since(client_of) -> None:
    ticket, client = make.ticket(), client_of(people.alice())
    since = page_of(client, ticket).split("news/?since=")[1].split('"')[0]
    path = f"/tickets/{ticket.public_id}/news/?since={since}"
    assert "Something happened" not in client.get(path, HTTP_HX_REQUEST="true").content.decode()
    tickets.comment(ticket, text="hello", by=people.bob())
    assert "Something happened" in client.get(path, HTTP_HX_REQUEST="true").content.decode()
    assert client.get(path).status_code == 302


def fix(client, ticket: Ticket, **data: str):
    return client.post(
        f"/tickets/{ticket.public_id}/fix/", {"as": "json", "do": "replay", "reason": "Corrected", **data}
    )


def test_fix_shows_each_field_that_changes_before_anything_is_saved(client_of) -> None:
    ticket = make.ticket()
    answer = fix(
        client_of(people.alice()), ticket, do="preview", payload='{"account": "Acme", "amount": "120.00", "new": 1}'
    )
    page = answer.content.decode()
    assert "<del>100.00</del>" in page
    assert "<ins>120.00</ins>" in page
    assert "new" in page
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_fix_by_field_replays_with_exact_types(client_of) -> None:
    run = records.run(payload={"name": "x", "qty": 3, "paid": False, "none": None, "lines": [1]})
    ticket = make.ticket(run)
    data = {
        "as": "fields",
        "do": "replay",
        "reason": "Corrected",
        "field:name": "007",
        "field:qty": "12",
        "field:paid": "true",
        "field:none": "",
    }
    assert client_of(people.alice()).post(f"/tickets/{ticket.public_id}/fix/", data).status_code == 302
    run.refresh_from_db()
    assert run.payload == {"name": "007", "qty": 12, "paid": True, "none": None, "lines": [1]}
    assert run.status == RunStatus.PENDING


BAD_PAYLOADS = [
    ('{"a": 1,,}', "line 1, column 9"), ("[1]", "A payload is a JSON object"), ("", "The payload is empty"), ('{"a": NaN}', "NaN"), ('{"a": 1, "a": 2}', "stands twice"),
    ('{"a": "\\u0000"}', "NUL character"), ("[" * 90 + "]" * 90, "nested deeper"),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "said"), BAD_PAYLOADS)
def test_fix_says_where_json_cannot_be_read_and_keeps_it(client_of, payload, said) -> None:
    ticket = make.ticket()
    answer = fix(client_of(people.alice()), ticket, payload=payload)
    assert answer.status_code == 422 or answer.status_code == 400
    page = answer.content.decode()
    assert said in page
    assert "Corrected</textarea>" in page.replace("\n", "")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_fix_refuses_a_number_that_is_none(client_of) -> None:
    ticket = make.ticket(records.run(payload={"qty": 3}))
    answer = client_of(people.alice()).post(
        f"/tickets/{ticket.public_id}/fix/", {"as": "fields", "do": "replay", "reason": "r", "field:qty": "three"}
    )
    assert answer.status_code == 422
    assert "is not a number" in answer.content.decode()


def test_fix_needs_a_reason(client_of) -> None:
    ticket = make.ticket()
    answer = fix(client_of(people.alice()), ticket, payload='{"a": 1}', reason="")
    assert answer.status_code == 422
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_fix_never_overwrites_what_somebody_else_corrected(client_of) -> None:
    answer = fix(client_of(people.alice()), make.ticket(), payload='{"a": 1}', base="old")
    assert answer.status_code == 409
    assert "Somebody else corrected this record" in answer.content.decode()


def test_fix_is_refused_where_newer_data_was_applied(client_of) -> None:
    run = records.run()
    ticket = make.ticket(run)
    newer = records.run(status=RunStatus.COMPLETED, lane=run.lane, event=records.event(lane=run.lane))
    answer = fix(client_of(people.alice()), ticket, payload=json.dumps({"a": 1}))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Replaying would overwrite newer data with older" in page
    assert f"/trace/{newer.public_id}/" in page


def test_fix_by_somebody_who_may_not_changes_nothing(client_of) -> None:
    ticket = make.ticket()
    answer = fix(client_of(people.charlie()), ticket, payload='{"a": 1}')
    assert answer.status_code == 403
    assert "Your role may not" in answer.content.decode()
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_fix_of_a_quarantined_event_starts_from_its_text(client_of) -> None:
    event = records.event(status=EventStatus.QUARANTINED, raw='{"broken": ,}', problem="not JSON")
    event.payload = None
    event.save()
    ticket = tickets.open_all([records.failure(None, event_id=event.pk, system="crm")])[0]
    page = page_of(client_of(people.alice()), ticket, "fix/")
    assert "{&quot;broken&quot;: ,}" in page
    assert "As it arrived; it could not be read" in page
    assert "the whole record" in page_of(client_of(people.alice()), ticket)


def test_every_person_may_look(client_of) -> None:
    ticket = make.ticket()
    for person in (people.alice(), people.bob(), people.charlie()):
        assert isinstance(person, User)
        page_of(client_of(person), ticket)
        page_of(client_of(person), ticket, "fix/")
