"""People and a small company whose records are in every state, made by the real engine against a real ERP."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client

from ownership.enums import OwnerRole, Role
from ownership.models import FlowOwner, Team, User
from syncflows.engine import ingest
from syncflows.engine.arrivals import Arrival
from syncflows.engine.models import Event, Run
from syncflows.governance import catalog
from tests.integration.engine import deals
from tests.integration.engine.conftest import customer_id, erp, sandbox

__all__ = ["customer_id", "erp", "sandbox"]
HOSTILE = '<img src=x onerror=alert(1)> "شركة النور" 🧾 =HYPERLINK("http://x")'


@dataclass(frozen=True)
class Company:
    completed: Run
    held: Run
    ignored: Run
    failed: Run
    quarantined: Event


def person(username: str, role: Role, name: str) -> User:
    first, _, last = name.partition(" ")
    return User.objects.create_user(
        username, password="a long pass phrase", role=role, first_name=first, last_name=last
    )


@pytest.fixture
def alice(db: None) -> User:
    """Owns flows and may operate systems."""
    return person("alice", Role.FLOW_OWNER, "Alice Adams")


@pytest.fixture
def charlie(db: None) -> User:
    """Looks, and may do nothing."""
    return person("charlie", Role.AUDITOR, "Charlie Chan")


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def as_charlie(charlie: User) -> Client:
    client = Client()
    client.force_login(charlie)
    return client


@pytest.fixture
def company(customer_id: str, alice: User) -> Company:
    """One record in each state; the failed one has a hostile customer name."""
    for role in (OwnerRole.SYNC, OwnerRole.SOURCE):
        FlowOwner.objects.create(flow="deals", role=role, person=alice)
    Team.objects.create(name="triage", title="Triage", on_call=alice).members.add(alice)
    completed, held, ignored, failed = (
        deals.run_of(event)
        for event in (
            *deals.send(1, customer_id=customer_id),
            *deals.send(2, customer_id=customer_id, list="200.00"),
            *deals.send(3, customer_id=customer_id, stage="open"),
            *deals.send(4, customer_id=HOSTILE),
        )
    )
    stranger = Arrival(source="crm", type="deal.unheard-of", payload={"deal_id": "D5"}, source_event_id="e5")
    quarantined = Event.objects.get(public_id=ingest.accept([stranger], catalog=catalog.current())[0].public_id)
    for run, status in ((completed, "completed"), (held, "held"), (ignored, "ignored"), (failed, "failed")):
        deals.carry(until=status, run=run)
    return Company(completed, held, ignored, failed, quarantined)
