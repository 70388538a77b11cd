"""Releasing what was quarantined."""

import pytest

from meshline.kernel import actors
from meshline.kernel.errors import Conflict, Invalid, MeshlineError, Missing
from syncflows import hooks
from syncflows.engine import ingest, quarantine
from syncflows.engine.arrivals import Arrival
from syncflows.engine.enums import EventStatus
from syncflows.engine.models import Event, LineageFact, Run
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from tests.integration.engine.door import doorstep

ALICE = actors.Actor("user", "usr_alice", "Alice")
GOOD = {"deal_id": "D1", "amount": "5"}


@pytest.fixture
def event(db: None, failures: list[hooks.Failure]) -> Event:
    doorstep.crm()
    bad = Arrival(
        source="crm",
        type="deal.won",
        payload={"deal_id": "D1", "amount": "five"},
        source_event_id="e-1",
        origin="deals.csv line 3",
    )
    ingest.accept([bad], catalog=catalog.current())
    return Event.objects.get()


def snapshot() -> tuple[object, ...]:
    return list(Event.objects.values_list("pk", "status")), Run.objects.count(), LineageFact.objects.count()


def test_release_carries_the_corrected_payload(event: Event) -> None:
    new = quarantine.release(event_id=event.pk, payload=GOOD, by=ALICE, reason="typo")
    event.refresh_from_db()
    assert (event.status, event.payload["amount"]) == (EventStatus.RELEASED, "five")
    assert (new.status, new.source_event_id, new.origin, new.correlation_id) == (
        EventStatus.ACCEPTED,
        "e-1",
        f"released from {event.public_id}",
        event.correlation_id,
    )
    assert Run.objects.get().event == new
    released = LineageFact.objects.get(event_id=event.pk, kind="released")
    corrected = LineageFact.objects.get(event_id=new.pk, kind="corrected")
    assert released.actor == corrected.actor == "Alice"
    assert [(change["path"], change["before"], change["after"]) for change in corrected.detail["changes"]] == [
        ("amount", "five", "5")
    ]


def test_release_of_what_the_source_sends_again_is_a_duplicate(event: Event) -> None:
    new = quarantine.release(event_id=event.pk, payload=GOOD, by=ALICE, reason="typo")
    [again] = ingest.accept(
        [Arrival(source="crm", type="deal.won", payload=GOOD, source_event_id="e-1")], catalog=catalog.current()
    )
    assert (again.outcome, again.public_id) == ("duplicate", new.public_id)


def test_release_as_it_came_once_the_contract_reads_it(event: Event) -> None:
    doorstep.activate(Kind.CONTRACT, "crm-deal", {**doorstep.DEAL, "read": {}})
    assert quarantine.release(event_id=event.pk, payload=None, by=ALICE, reason="contract 2").payload == event.payload


@pytest.mark.parametrize(
    ("payload", "reason", "error", "code"),
    [
        ({"deal_id": "D1", "amount": "six"}, "typo", Invalid, "unreadable_field"),
        ({"deal_id": "", "amount": "6"}, "typo", Invalid, "key_missing"),
        ({"deal_id": "D\x00", "amount": "6"}, "typo", Invalid, "malformed_event"),
        (GOOD, "  ", Invalid, "reason_missing"),
    ],
)
def test_release_refused_changes_nothing(
    event: Event, payload: dict[str, str], reason: str, error: type[MeshlineError], code: str
) -> None:
    before = snapshot()
    with pytest.raises(error) as caught:
        quarantine.release(event_id=event.pk, payload=payload, by=ALICE, reason=reason)
    assert caught.value.code == code
    assert snapshot() == before


def test_release_is_refused_where_the_source_was_faster(event: Event) -> None:
    ingest.accept(
        [Arrival(source="crm", type="deal.won", payload=GOOD, source_event_id="e-1")], catalog=catalog.current()
    )
    before = snapshot()
    with pytest.raises(Conflict, match="by now"):
        quarantine.release(event_id=event.pk, payload=GOOD, by=ALICE, reason="typo")
    assert snapshot() == before


def test_release_happens_once(event: Event) -> None:
    new = quarantine.release(event_id=event.pk, payload=GOOD, by=ALICE, reason="typo")
    for wrong, expected in ((event.pk, Conflict), (new.pk, Conflict), (10**9, Missing)):
        with pytest.raises(expected):
            quarantine.release(event_id=wrong, payload=GOOD, by=ALICE, reason="typo")
    assert Run.objects.count() == 1
