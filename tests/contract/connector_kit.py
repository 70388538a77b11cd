"""What every connector must do, whoever it speaks to. Subclass `ConnectorContract` and give it a `bench`.

    class TestMyConnector(ConnectorContract):
        @pytest.fixture
        def bench(self) -> Iterator[Bench]: ...

A bench is one far side, a connector to it, and ways to look behind the connector's back and to break things. A fault it cannot make
is left out of `faults`, and its test is skipped with that reason. Time-outs of the connector should be short (read 0.3 s).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any, Protocol

import pytest

from syncflows.connectors import errors
from syncflows.connectors.protocol import JSON, Answer, Call, Connector, Guard

SOME_DAYS = timedelta(days=3)
_numbers = count(1)


class Fault(StrEnum):
    """What goes wrong on the far side. AFTER_COMMIT: the document exists there, and we are not told."""

    TIMEOUT_AFTER_COMMIT = "timeout_after_commit"
    CUT_BEFORE_COMMIT = "cut_before_commit"
    CUT_AFTER_COMMIT = "cut_after_commit"
    ERROR_AFTER_COMMIT = "error_after_commit"
    GARBAGE_AFTER_COMMIT = "garbage_after_commit"
    UNAUTHORISED = "unauthorised"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"


RETRY_AFTER_S = 7
AFTER_COMMIT = (
    Fault.TIMEOUT_AFTER_COMMIT,
    Fault.CUT_AFTER_COMMIT,
    Fault.ERROR_AFTER_COMMIT,
    Fault.GARBAGE_AFTER_COMMIT,
)


class Bench(Protocol):
    """create, read, listing: names of operations (empty where the connector has none). secrets: texts no message may hold.
    faults: those this bench can make. page_size: documents on one page of `listing`, at most. hostile: references the far side takes that
    would break out of an address if they could. missing_id: an id of the right form that nothing has."""

    connector: Connector
    create: str
    read: str
    listing: str
    secrets: tuple[str, ...]
    faults: frozenset[Fault]
    page_size: int
    hostile: tuple[str, ...]
    missing_id: str

    def document(self, reference: str) -> JSON:
        """A document the far side takes, as a flow's step would give it."""

    def bad_document(self, reference: str) -> JSON:
        """One it refuses."""

    def count(self, reference: str) -> int:
        """How many documents of this reference the far side holds, asked behind the connector's back."""

    def add_behind(self, reference: str) -> None:
        """Make a document of this reference on the far side, behind the connector's back."""

    def reference_of(self, item: JSON) -> str:
        """The reference that an item of `listing` carries."""

    def fault(self, kind: Fault, *, writes: bool) -> AbstractContextManager[None]:
        """Within it, every write (or, without `writes`, every read) of the far side goes wrong like this. RATE_LIMITED says Retry-After: 7."""


def call(bench: Bench, reference: str, document: JSON | None = None) -> Call:
    return Call(
        bench.create,
        document or bench.document(reference),
        reference,
        f"key-{reference}",
        correlation={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
    )


def new_reference(prefix: str = "KIT") -> str:
    return f"{prefix}-{datetime.now(UTC):%H%M%S%f}-{next(_numbers)}"


def failure_of(action: Callable[[], Any]) -> errors.ConnectorError:
    with pytest.raises(errors.ConnectorError) as caught:
        action()
    return caught.value


def needs(bench: Bench, *faults: Fault) -> None:
    missing = [fault for fault in faults if fault not in bench.faults]
    if missing:
        pytest.skip(f"this far side cannot be made to do {', '.join(missing)}")


def window() -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"since": now - SOME_DAYS, "until": now + SOME_DAYS}


class ConnectorContract:
    """The tests. `bench` is a fixture of the subclass."""

    def test_operations_say_what_they_write_and_how_repeats_are_guarded(self, bench: Bench) -> None:
        operations = bench.connector.operations()
        assert operations[bench.create].writes
        assert operations[bench.create].guard is not Guard.NONE
        assert not any(operations[name].writes for name in (bench.read, bench.listing) if name)

    def test_execute_creates_exactly_one(self, bench: Bench) -> None:
        reference = new_reference()
        answer = bench.connector.execute(call(bench, reference))
        assert answer.external_id
        assert bench.count(reference) == 1
        json.dumps(answer.document)

    def test_execute_from_several_threads_creates_one_each(self, bench: Bench) -> None:
        references = [new_reference() for _ in range(12)]
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda reference: bench.connector.execute(call(bench, reference)), references))
        assert len({answer.external_id for answer in answers}) == len(references)
        assert [bench.count(reference) for reference in references] == [1] * len(references)

    def test_execute_refused_leaves_nothing(self, bench: Bench) -> None:
        reference = new_reference()
        error = failure_of(lambda: bench.connector.execute(call(bench, reference, bench.bad_document(reference))))
        assert isinstance(error, errors.Rejected)
        assert not error.retryable
        assert len(error.message) > 20
        assert bench.count(reference) == 0

    def test_find_says_none(self, bench: Bench) -> None:
        assert bench.connector.find(bench.create, reference=new_reference()) == []

    def test_find_names_the_one(self, bench: Bench) -> None:
        reference = new_reference()
        made = bench.connector.execute(call(bench, reference))
        bench.connector.execute(call(bench, f"{reference}0"))
        assert _ids(bench.connector.find(bench.create, reference=reference)) == [made.external_id]

    def test_find_shows_every_duplicate(self, bench: Bench) -> None:
        reference = new_reference()
        for _ in range(2):
            bench.add_behind(reference)
        assert bench.count(reference) == 2
        assert len(set(_ids(bench.connector.find(bench.create, reference=reference)))) == 2

    def test_find_is_not_led_astray_by_the_reference(self, bench: Bench) -> None:
        for start in bench.hostile:
            reference = new_reference(start)
            assert bench.connector.find(bench.create, reference=reference) == []
            made = bench.connector.execute(call(bench, reference))
            assert _ids(bench.connector.find(bench.create, reference=reference)) == [made.external_id]

    @pytest.mark.parametrize("fault", AFTER_COMMIT)
    def test_execute_unanswered_after_the_commit_is_unknown_and_find_finds_it(self, bench: Bench, fault: Fault) -> None:
        needs(bench, fault)
        reference = new_reference()
        with bench.fault(fault, writes=True):
            error = failure_of(lambda: bench.connector.execute(call(bench, reference)))
        assert isinstance(error, errors.OutcomeUnknown)
        assert bench.count(reference) == 1
        assert len(bench.connector.find(bench.create, reference=reference)) == 1

    def test_execute_cut_before_the_commit_is_unknown_and_find_finds_none(self, bench: Bench) -> None:
        needs(bench, Fault.CUT_BEFORE_COMMIT)
        reference = new_reference()
        with bench.fault(Fault.CUT_BEFORE_COMMIT, writes=True):
            error = failure_of(lambda: bench.connector.execute(call(bench, reference)))
        assert isinstance(error, errors.OutcomeUnknown)
        assert bench.count(reference) == 0
        assert bench.connector.find(bench.create, reference=reference) == []

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            (Fault.UNAUTHORISED, errors.AuthRefused),
            (Fault.RATE_LIMITED, errors.RateLimited),
            (Fault.UNAVAILABLE, errors.Transient),
        ],
    )
    def test_execute_turned_away_did_not_happen(self, bench: Bench, fault: Fault, kind: type[errors.Transient]) -> None:
        needs(bench, fault)
        reference = new_reference()
        with bench.fault(fault, writes=True):
            error = failure_of(lambda: bench.connector.execute(call(bench, reference)))
        assert isinstance(error, kind)
        assert error.retryable
        assert fault != Fault.RATE_LIMITED or error.retry_after_s == RETRY_AFTER_S
        assert bench.count(reference) == 0

    @pytest.mark.parametrize("fault", list(Fault))
    def test_find_that_fails_never_says_none(self, bench: Bench, fault: Fault) -> None:
        needs(bench, fault)
        reference = new_reference()
        bench.add_behind(reference)
        with bench.fault(fault, writes=False):
            error = failure_of(lambda: bench.connector.find(bench.create, reference=reference))
        assert not isinstance(error, errors.OutcomeUnknown | errors.NotFound)

    def test_list_window_gives_every_document_exactly_once(self, bench: Bench) -> None:
        if not bench.listing:
            pytest.skip("this connector lists nothing")
        references = [new_reference() for _ in range(bench.page_size * 2 + 1)]
        for reference in references:
            bench.add_behind(reference)
        listed = [bench.reference_of(item) for item in bench.connector.list_window(bench.listing, **window())]
        assert sorted(found for found in listed if found in references) == sorted(references)

    @pytest.mark.parametrize("fault", list(Fault))
    def test_list_window_that_fails_is_never_short(self, bench: Bench, fault: Fault) -> None:
        needs(bench, fault)
        if not bench.listing:
            pytest.skip("this connector lists nothing")
        bench.add_behind(new_reference())
        with bench.fault(fault, writes=False):
            error, listed = _listed(bench)
        if error is None:  # a list with one field renamed is still whole
            assert len(listed) >= 1
            assert fault == Fault.GARBAGE_AFTER_COMMIT
        assert not isinstance(error, errors.OutcomeUnknown)

    def test_get_gives_the_document(self, bench: Bench) -> None:
        if not bench.read:
            pytest.skip("this connector reads nothing singly")
        reference = new_reference()
        made = bench.connector.execute(call(bench, reference))
        document = bench.connector.get(bench.read, external_id=made.external_id)
        assert reference in json.dumps(document, ensure_ascii=False)

    def test_get_of_a_missing_document_is_not_found(self, bench: Bench) -> None:
        if not bench.read:
            pytest.skip("this connector reads nothing singly")
        error = failure_of(lambda: bench.connector.get(bench.read, external_id=bench.missing_id))
        assert isinstance(error, errors.NotFound)

    def test_an_unknown_operation_is_misconfigured(self, bench: Bench) -> None:
        for action in (
            lambda: bench.connector.execute(Call("no_such_operation", {}, "R-1", "k")),
            lambda: bench.connector.find("no_such_operation", reference="R-1"),
            lambda: list(bench.connector.list_window("no_such_operation", **window())),
            lambda: bench.connector.get("no_such_operation", external_id="1"),
        ):
            assert isinstance(failure_of(action), errors.Misconfigured)

    def test_health_says_yes(self, bench: Bench) -> None:
        health = bench.connector.health()
        assert health.ok, health.detail
        assert health.detail

    def test_health_never_raises(self, bench: Bench) -> None:
        for fault in sorted(bench.faults - {Fault.GARBAGE_AFTER_COMMIT}):
            with bench.fault(fault, writes=False):
                health = bench.connector.health()
            assert not health.ok, fault
            assert len(health.detail) > 10

    def test_no_message_holds_a_credential(self, bench: Bench) -> None:
        said = [bench.connector.health().detail]
        for fault in sorted(bench.faults):
            with bench.fault(fault, writes=True):
                error = failure_of(lambda: bench.connector.execute(call(bench, new_reference())))
            said += [error.message, repr(error.context)]
        assert bench.secrets
        assert not [text for text in said for secret in bench.secrets if secret in text]


def _ids(answers: list[Answer]) -> list[str]:
    return [answer.external_id for answer in answers]


def _listed(bench: Bench) -> tuple[errors.ConnectorError | None, list[JSON]]:
    try:
        return None, list(bench.connector.list_window(bench.listing, **window()))
    except errors.ConnectorError as error:
        return error, []
