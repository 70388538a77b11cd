"""From an arrival to a committed event with its runs, lineage and tickets."""

import threading
from decimal import Decimal

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exceptions.models import Ticket
from syncflows import hooks
from syncflows.engine import ingest
from syncflows.engine.arrivals import Arrival, Problem
from syncflows.engine.enums import EventStatus, FactKind, IngestOutcome, RunStatus
from syncflows.engine.models import Event, EventKey, LineageFact, Run, TraceKey
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from tests.integration.engine.door import doorstep

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def definitions(db: None) -> catalog.Catalog:
    doorstep.crm()
    return catalog.current()


def won(number: int, **values: object) -> Arrival:
    payload = {"deal_id": f"D{number}", "amount": Decimal("1054.00"), "closed": "2026-11-30"}
    return Arrival(source="crm", type="deal.won", payload=payload, **values)  # type: ignore[arg-type]


def test_accept_stores_event_run_lineage_and_names(definitions: catalog.Catalog) -> None:
    [receipt] = ingest.accept(
        [won(1, source_event_id="e-1", traceparent=TRACEPARENT, origin="http")], catalog=definitions
    )

    event = Event.objects.get()
    assert (receipt.outcome, receipt.public_id, receipt.correlation_id) == (
        IngestOutcome.ACCEPTED,
        event.public_id,
        TRACE,
    )
    assert (event.status, event.canonical_key, event.lane, event.sequence) == (
        EventStatus.ACCEPTED,
        "D1",
        "order:D1",
        "2026-11-30",
    )
    assert event.payload == {"deal_id": "D1", "amount": "1054.00", "closed": "2026-11-30"}
    run = Run.objects.get()
    assert (run.event, run.flow, run.status, run.priority, run.lane) == (
        event,
        "deal-to-cash",
        RunStatus.PENDING,
        50,
        "order:D1",
    )
    assert run.flow_version.definition.name == "deal-to-cash"  # type: ignore[union-attr]
    assert LineageFact.objects.get(event_id=event.pk).kind == FactKind.RECEIVED
    assert set(TraceKey.objects.values_list("kind", "value")) == {
        ("canonical_key", "D1"),
        ("correlation_id", TRACE),
    }


def test_accept_answers_a_duplicate_with_the_first_event(definitions: catalog.Catalog) -> None:
    first, second, third = ingest.accept(
        [won(1, source_event_id="e-1"), won(2, source_event_id="e-1"), won(3)], catalog=definitions
    )
    [again] = ingest.accept([won(1, source_event_id="e-1")], catalog=definitions)

    assert [first.outcome, second.outcome, third.outcome, again.outcome] == [
        "accepted",
        "duplicate",
        "accepted",
        "duplicate",
    ]
    assert second.public_id == again.public_id == first.public_id
    assert again.correlation_id == first.correlation_id
    assert Event.objects.count() == Run.objects.count() == 2


def test_accept_knows_an_event_without_id_by_its_content_as_read(definitions: catalog.Catalog) -> None:
    [first] = ingest.accept([won(1)], catalog=definitions)
    same = Arrival(source="crm", type="deal.won", payload={"closed": "11/30/2026", "amount": "1054", "deal_id": "D1"})
    [again] = ingest.accept([same], catalog=definitions)
    assert (again.outcome, again.public_id) == (IngestOutcome.DUPLICATE, first.public_id)


def test_accept_keeps_an_event_that_no_flow_wants(definitions: catalog.Catalog, failures: list[hooks.Failure]) -> None:
    doorstep.activate(Kind.FLOW, "deal-to-cash", {**doorstep.FLOW, "live": False})
    [receipt] = ingest.accept([won(1)], catalog=catalog.current())
    assert (receipt.outcome, receipt.status, failures) == (IngestOutcome.ACCEPTED, EventStatus.UNROUTED, [])
    assert LineageFact.objects.get().kind == FactKind.UNROUTED
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("arrival", "reason"),
    [
        (Arrival(source="crm", type="deal.stolen", payload={}), "unknown_event_type"),
        (Arrival(source="shop", type="deal.won", payload={}), "unknown_event_type"),
        (Arrival(source="crm", type="", payload={}), "type_missing"),
        (Arrival(source="", type="deal.won", payload={}), "source_missing"),
        (Arrival(source="crm", type="deal.won", payload=[1]), "malformed_event"),
        (Arrival(source="crm", type="deal.won"), "malformed_event"),
        (Arrival(source="crm", type="deal.won", payload={"deal_id": "", "amount": "5"}), "key_missing"),
        (Arrival(source="crm", type="deal.won", payload={"deal_id": "D1", "amount": "five"}), "unreadable_field"),
        (Arrival(source="crm", type="deal.won", payload={"amount": "5"}), "key_missing"),
        (Arrival(source="crm", type="deal.won", payload={"deal_id": "D\x001"}), "malformed_event"),
        (Arrival(source="crm", type="deal.won", payload={"deal_id": "D\ud8001"}), "malformed_event"),
        (Arrival(source="crm", type="deal.won", payload={"deal_id": "D1", "amount": float("nan")}), "malformed_event"),
        (
            Arrival(source="crm", raw='{"deal', problem=Problem("malformed_event", "Not JSON.", "Send JSON.")),
            "malformed_event",
        ),
        (
            Arrival(
                source="crm\x00", type="deal\x00\ud800", payload={"x": 1}, source_event_id="\x00", origin="\x00" * 500
            ),
            "unknown_event_type",
        ),
    ],
)
def test_accept_quarantines_with_a_failure(
    definitions: catalog.Catalog, failures: list[hooks.Failure], arrival: Arrival, reason: str
) -> None:
    [receipt] = ingest.accept([arrival], catalog=definitions)
    event = Event.objects.get()
    assert (receipt.outcome, event.status) == (IngestOutcome.QUARANTINED, EventStatus.QUARANTINED)
    assert [(failure.reason, failure.event_id, failure.exception_class) for failure in failures] == [
        (reason, event.pk, "data_quality")
    ]
    assert failures[0].message
    assert failures[0].remedy
    assert event.problem == failures[0].message
    assert event.raw or event.payload is not None or arrival.payload is None
    assert LineageFact.objects.get().kind == FactKind.QUARANTINED
    assert not Run.objects.exists()


def test_accept_quarantines_one_and_accepts_the_rest(
    definitions: catalog.Catalog, failures: list[hooks.Failure]
) -> None:
    bad = Arrival(
        source="crm", type="deal.won", payload={"deal_id": "D\x00"}, origin="deals.csv", line=7, raw="D\x00,5"
    )
    receipts = ingest.accept([won(1), bad, won(2)], catalog=definitions)
    assert [receipt.outcome for receipt in receipts] == ["accepted", "quarantined", "accepted"]
    assert Run.objects.count() == 2
    assert failures[0].context["line"] == 7
    assert Event.objects.get(status=EventStatus.QUARANTINED).raw == "D\\x00,5"


def test_accept_knows_a_bad_event_again_and_takes_its_corrected_form(
    definitions: catalog.Catalog, failures: list[hooks.Failure]
) -> None:
    def bad() -> Arrival:
        return Arrival(source="crm", type="deal.won", payload={"deal_id": ""}, source_event_id="e-1")

    [first] = ingest.accept([bad()], catalog=definitions)
    [again] = ingest.accept([bad()], catalog=definitions)
    [good] = ingest.accept([won(1, source_event_id="e-1")], catalog=definitions)
    assert (again.outcome, again.public_id, again.status) == (
        IngestOutcome.DUPLICATE,
        first.public_id,
        EventStatus.QUARANTINED,
    )
    assert good.outcome == IngestOutcome.ACCEPTED
    assert len(failures) == 1
    assert (
        TraceKey.objects.filter(kind="source_event_id", value="e-1").count() == 1
    )  # the accepted one has its EventKey
    assert EventKey.objects.filter(source_event_id="e-1").count() == 1


def test_accept_changes_nothing_where_the_ticket_cannot_be_opened(
    definitions: catalog.Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(failures: list[hooks.Failure]) -> None:
        raise RuntimeError("no ticket")

    monkeypatch.setattr(hooks, "_failures", [broken])
    with pytest.raises(RuntimeError, match="no ticket"):
        ingest.accept([won(1), Arrival(source="crm", type="nonsense", payload={})], catalog=definitions)
    assert not Event.objects.exists()
    assert not Run.objects.exists()
    assert not LineageFact.objects.exists()


@pytest.mark.parametrize("size", [1, 40, 400])
def test_accept_takes_the_same_queries_for_any_number(
    definitions: catalog.Catalog, failures: list[hooks.Failure], size: int
) -> None:
    bad = Arrival(source="crm", type="deal.won", payload={"deal_id": ""})
    arrivals = [*(won(number) for number in range(size)), won(0), bad]
    with CaptureQueriesContext(connection) as queries:
        ingest.accept(arrivals, catalog=definitions)
    # savepoint, events, runs, facts, names, the first event of the duplicate, release
    assert len(queries) == 7


def test_accept_keeps_the_order_of_arrival(definitions: catalog.Catalog) -> None:
    ingest.accept([won(number, source_event_id=f"z{99 - number}") for number in range(50)], catalog=definitions)
    assert list(Run.objects.order_by("id").values_list("canonical_key", flat=True)) == [
        f"D{number}" for number in range(50)
    ]
    assert list(Event.objects.order_by("id").values_list("canonical_key", flat=True)) == [
        f"D{number}" for number in range(50)
    ]


@pytest.mark.django_db(transaction=True)
def test_accept_stores_once_what_many_senders_bring_in_different_orders() -> None:
    doorstep.crm()
    definitions = catalog.current()
    numbers = list(range(60))
    outcomes: list[str] = []
    barrier = threading.Barrier(6)

    def send(shift: int) -> None:
        mixed = numbers[shift * 10 :] + numbers[: shift * 10]
        barrier.wait()
        try:
            outcomes.extend(
                receipt.outcome.value
                for receipt in ingest.accept([won(number) for number in mixed], catalog=definitions)
            )
        finally:
            connections.close_all()

    senders = [threading.Thread(target=send, args=(shift,)) for shift in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert (outcomes.count("accepted"), outcomes.count("duplicate")) == (60, 300)
    assert Event.objects.count() == Run.objects.count() == 60


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.text(alphabet=st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet=st.characters(exclude_categories=())), inner, max_size=4)
    ),
    max_leaves=12,
)
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=JSON, event_id=ANY_TEXT, kind=st.sampled_from(["deal.won", "deal.lost"]) | ANY_TEXT, raw=ANY_TEXT)
def test_accept_has_a_receipt_for_whatever_comes(
    definitions: catalog.Catalog, payload: object, event_id: str, kind: str, raw: str
) -> None:
    arrival = Arrival(
        source="crm",
        type=kind,
        payload=payload,
        source_event_id=event_id,
        raw=raw,
        subject=raw,
        sequence=raw,
        origin=raw,
    )
    [receipt] = ingest.accept([arrival], catalog=definitions)
    assert Event.objects.filter(public_id=receipt.public_id).exists()


def test_accept_opens_a_ticket_in_the_same_transaction(definitions: catalog.Catalog) -> None:
    bad = Arrival(source="crm", type="deal.won", payload={"deal_id": ""}, origin="deals.csv line 7", line=7)
    ingest.accept([bad, won(1)], catalog=definitions)
    ticket = Ticket.objects.get()
    assert (ticket.event, ticket.exception_class, ticket.reason) == (
        Event.objects.get(canonical_key=""),
        "data_quality",
        "key_missing",
    )
    assert (ticket.context["line"], ticket.context["origin"]) == (7, "deals.csv line 7")
