"""Events that no live flow wanted are kept, and routed when a person says so: previewed, in order, once, with reason and trace; by page, API and command."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from meshline.audit.models import AuditEvent
from meshline.kernel.errors import Conflict, Invalid, NotAllowed
from ownership.enums import Role
from ownership.models import User
from syncflows.engine import unrouted
from syncflows.engine.enums import EventStatus, RunStatus
from syncflows.engine.models import Event, LineageFact, Run
from tests.factories import people
from tests.integration.engine import deals
from tests.integration.engine.test_retry_budgets import define

ON = "metadata: {name: deals}\nspec:\n"
OFF = ON + "  live: false\n"


@pytest.fixture
def robin(transactional_db: None) -> User:
    return people.person("Robin Reed", role=Role.FLOW_OWNER)


@pytest.fixture
def waiting(erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Two events of one record and one of another, which arrived while the flow was off; it is on now."""
    on = deals.DEFINITIONS
    define(monkeypatch, erp, (ON, OFF))
    events = [
        *deals.send(1, customer_id=customer_id, changed="2"),
        *deals.send(1, customer_id=customer_id, changed="1"),
        *deals.send(2, customer_id=customer_id),
    ]
    assert {event.status for event in events} == {EventStatus.UNROUTED}
    monkeypatch.setattr(deals, "DEFINITIONS", on)
    deals.define(erp)
    return events


def test_routing_is_previewed_and_carries_each_event_once(erp: str, waiting: list[Event], robin: User) -> None:
    found = unrouted.preview("deals")
    assert (found.events, found.records, found.oldest) == (3, 2, waiting[0].received_at)
    assert not Run.objects.exists(), "nothing is routed silently"
    assert unrouted.route("deals", by=robin, reason="the flow is live by now") == 3
    assert unrouted.route("deals", by=robin, reason="again") == 0
    newer, older, other = (deals.run_of(event) for event in waiting)
    deals.carry(until=RunStatus.COMPLETED, run=older)
    deals.carry(until=RunStatus.IGNORED, run=newer)
    deals.carry(until=RunStatus.COMPLETED, run=other)
    assert len(deals.orders(erp)) == 2
    assert set(Event.objects.values_list("status", flat=True)) == {EventStatus.ACCEPTED}
    fact = LineageFact.objects.filter(event_id=waiting[0].pk, kind="received").get()
    assert "Routed to deals by Robin Reed: the flow is live by now" in fact.summary
    assert AuditEvent.objects.get(act="events.routed").detail["events"] == 3


def test_routing_is_refused_to_who_may_not_without_reason_and_to_a_flow_that_is_off(
    erp: str, waiting: list[Event], robin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAllowed):
        unrouted.route("deals", by=people.charlie(), reason="please")
    with pytest.raises(Invalid, match="reason"):
        unrouted.route("deals", by=robin, reason=" ")
    define(monkeypatch, erp, (ON, OFF))
    with pytest.raises(Conflict, match="not live"):
        unrouted.route("deals", by=robin, reason="please")
    assert not Run.objects.exists()


def test_the_flows_page_tells_and_its_act_routes(waiting: list[Event], robin: User, client: Client) -> None:
    client.force_login(robin)
    assert "3 events arrived while no live flow" in client.get("/flows/deals/").content.decode()
    page = client.get("/flows/deals/unrouted/").content.decode()
    assert "Route 3" in page
    assert client.post("/flows/deals/unrouted/", {"reason": ""}).status_code == 422
    done = client.post("/flows/deals/unrouted/", {"reason": "live by now"}, follow=True).content.decode()
    assert "3 events are routed" in done
    assert "No event waits" in client.get("/flows/deals/unrouted/").content.decode()


def test_the_command_previews_and_routes(waiting: list[Event], robin: User) -> None:
    out = StringIO()
    call_command("route_unrouted", "deals", "--dry-run", stdout=out)
    assert json.loads(out.getvalue())["events"] == 3
    assert not Run.objects.exists()
    with pytest.raises(CommandError, match="--by"):
        call_command("route_unrouted", "deals")
    out = StringIO()
    call_command("route_unrouted", "deals", "--by", robin.username, "--reason", "live", stdout=out, stderr=StringIO())
    assert json.loads(out.getvalue())["routed"] == 3
