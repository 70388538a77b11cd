"""What a person sees of half a record, and what they can do: on the page, over the API, with the right to, once."""

from typing import Any

import httpx
import pytest
from django.test import Client

from exceptions import repairs
from exceptions.models import Ticket
from meshline.kernel import actors
from meshline.kernel.errors import Conflict, Invalid, NotAllowed
from ownership import tokens
from ownership.enums import Scope
from ownership.models import User
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import CanonicalRecord, Run
from tests.factories import people
from tests.integration.engine.halves import company


@pytest.fixture
def half(url: str) -> Run:
    """A run whose entitlement is refused: order and invoice stand."""
    company.define(url, compensate=False)
    company.refuse(url, "desk", "/entitlements")
    [run] = company.win(1)
    return company.carry(run, until=RunStatus.FAILED)


@pytest.fixture
def dana() -> User:
    return people.alice()


def page(person: User, path: str) -> str:
    client = Client()
    client.force_login(person)
    return client.get(path).content.decode()


def test_ticket_page_shows_the_plan_and_its_acts_in_order_of_likelihood(half: Run, dana: User) -> None:
    text = page(dana, f"/tickets/{Ticket.objects.get(run=half).public_id}/")

    assert "Repair plan" in text
    assert "SO-000001" in text
    assert "INV-000001" in text
    assert "cancel-order" in text
    places = [
        text.index(f">{verb}<") if f">{verb}<" in text else text.index(verb)
        for verb in ("Replay", "Take back what was written", "Accept as it is")
    ]
    assert places == sorted(places)
    assert "Repair plan" in page(dana, f"/trace/{half.public_id}/")


def test_taking_back_from_the_page_ends_the_ticket(url: str, half: Run, dana: User) -> None:
    ticket, client = Ticket.objects.get(run=half), Client()
    client.force_login(dana)

    assert client.post(f"/tickets/{ticket.public_id}/compensate/", {"reason": ""}).status_code == 422
    assert (
        client.post(f"/tickets/{ticket.public_id}/compensate/", {"reason": "the customer withdrew"}).status_code == 302
    )
    company.carry(half, until=RunStatus.COMPENSATED)

    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution) == ("resolved", "compensated")
    assert [row["status"] for row in company.books(url, "erp", "orders")] == ["cancelled"]


def test_accepting_as_it_is_leaves_everything_and_closes_the_run(url: str, half: Run, dana: User) -> None:
    ticket = repairs.keep(Ticket.objects.get(run=half), reason="the entitlement is made by hand", by=dana)

    half.refresh_from_db()
    assert (ticket.resolution, half.status) == ("accepted", RunStatus.CANCELLED)
    assert [row["status"] for row in company.books(url, "erp", "orders")] == ["open"]
    assert CanonicalRecord.objects.get(key="D1").delivered_at is not None


def test_outsider_takes_nothing_back(url: str, half: Run) -> None:
    audrey, ticket = people.charlie(), Ticket.objects.get(run=half)
    for act in (repairs.take_back, repairs.keep):
        with pytest.raises(NotAllowed):
            act(ticket, reason="why not", by=audrey)
    half.refresh_from_db()
    assert half.status == RunStatus.FAILED
    assert half.compensation is None


def test_taking_back_needs_a_reason_and_happens_once(half: Run, dana: User) -> None:
    ticket = Ticket.objects.get(run=half)
    with pytest.raises(Invalid):
        repairs.take_back(ticket, reason=" ", by=dana)
    repairs.take_back(ticket, reason="withdrawn", by=dana)
    with pytest.raises(Conflict):
        repairs.take_back(ticket, reason="withdrawn", by=dana)


def test_api_shows_the_plan_and_takes_back(url: str, half: Run, live_server: Any) -> None:
    _, secret = tokens.create(name="service desk", scopes=Scope.values, by=actors.system("tests"))

    def call(method: str, path: str, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": f"k-{path}"}
        return httpx.request(
            method, f"{live_server.url}/api/v1/{path}", headers=headers, json=body or None, trust_env=False
        )

    plan = call("GET", f"runs/{half.public_id}/repair/").json()
    assert [line["step"] for line in plan["written"]] == ["customer", "order", "invoice"]
    assert (plan["missing_from"], plan["written"][1]["amount"]) == ("entitlement", "100.00")
    assert call("POST", f"runs/{half.public_id}/compensate/", reason="withdrawn").status_code == 200
    ticket = Ticket.objects.get(run=half)
    assert call("POST", f"tickets/{ticket.public_id}/compensate/", reason="withdrawn").status_code == 409
    company.carry(half, until=RunStatus.COMPENSATED)
    assert call("GET", f"runs/{half.public_id}/repair/").status_code == 409
