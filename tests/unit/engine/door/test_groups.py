"""Group commit, with a store that the test controls. What the database does with it is tested in integration."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError

from syncflows.engine.arrivals import Arrival, Receipt
from syncflows.engine.door import groups
from syncflows.engine.door.errors import Full, QuotaUsedUp
from syncflows.engine.door.groups import Collector
from syncflows.engine.enums import EventStatus, IngestOutcome
from tests.polling import until

NOT_LET_IN = QuotaUsedUp("crm sends too much.", retry_after_s=2)


def arrival(name: str) -> Arrival:
    return Arrival(source="crm", source_event_id=name)


def receipt(name: str) -> Receipt:
    return Receipt(name, "", IngestOutcome.ACCEPTED, EventStatus.ACCEPTED)


class Store:
    """Remembers each transaction; holds the first one up until `go`."""

    def __init__(self, refuse: Callable[[list[str]], BaseException | None] = lambda names: None) -> None:
        self.groups: list[list[str]] = []
        self.go = threading.Event()
        self._refuse = refuse

    def __call__(self, requests: list[list[Arrival]]) -> list[groups.Result]:
        names = [arrival.source_event_id for arrivals in requests for arrival in arrivals]
        self.groups.append(names)
        self.go.wait(10)
        if error := self._refuse(names):
            raise error
        return [
            NOT_LET_IN
            if arrivals[0].source_event_id == "late"
            else [receipt(arrival.source_event_id) for arrival in arrivals]
            for arrivals in requests
        ]


def take_together(collector: Collector, store: Store, requests: list[list[str]]) -> list[list[str] | BaseException]:
    """One request alone, the others while it is being stored; what each got."""

    def ask(names: list[str]) -> list[str] | BaseException:
        try:
            return [found.public_id for found in collector.take([arrival(name) for name in names], size_bytes=1)]
        except (ValueError, OperationalError, QuotaUsedUp) as error:
            return error

    with ThreadPoolExecutor(len(requests)) as pool:
        first = pool.submit(ask, requests[0])
        until(lambda: bool(store.groups), timeout_s=5, what="the first is not being stored")
        others = [pool.submit(ask, names) for names in requests[1:]]
        until(lambda: len(collector._waiting) == len(others), timeout_s=5, what="the others do not wait")
        store.go.set()
        found = [future.result(10) for future in (first, *others)]
    collector.rest()
    return found


def test_take_commits_the_first_alone_and_the_rest_together() -> None:
    store = Store()
    found = take_together(Collector(store), store, [["a"], ["b", "c"], ["d"]])
    assert found == [["a"], ["b", "c"], ["d"]]
    assert store.groups[0] == ["a"]
    assert sorted(store.groups[1]) == ["b", "c", "d"]
    assert len(store.groups) == 2


def test_take_tells_who_is_not_let_in_and_stores_the_rest() -> None:
    store = Store()
    found = take_together(Collector(store), store, [["a"], ["b"], ["late"], ["c"]])
    assert found == [["a"], ["b"], NOT_LET_IN, ["c"]]
    assert len(store.groups) == 2


def test_take_stores_one_by_one_where_a_group_fails() -> None:
    refused = ValueError("cannot be stored")
    store = Store(lambda names: refused if "bad" in names else None)
    found = take_together(Collector(store), store, [["a"], ["b"], ["bad", "c"], ["d"]])
    assert found == [["a"], ["b"], refused, ["d"]]


def test_take_tries_a_lost_connection_once_more() -> None:
    lost = iter([None, OperationalError("gone")])
    store = Store(lambda names: next(lost, None))
    assert take_together(Collector(store), store, [["a"], ["b"], ["c"]]) == [["a"], ["b"], ["c"]]


def test_take_tells_all_of_a_group_that_the_database_is_gone() -> None:
    store = Store(lambda names: None if names == ["a"] else OperationalError("gone"))
    found = take_together(Collector(store), store, [["a"], ["b"], ["c"]])
    assert [type(item) for item in found] == [list, OperationalError, OperationalError]


def test_take_refuses_when_full_and_takes_again_when_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "WAITING_EVENTS", 2)
    store = Store()
    found = take_together_when_full(Collector(store), store)
    assert found == ["door_full", True, ["e"]]


def take_together_when_full(collector: Collector, store: Store) -> list[object]:
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(collector.take, [arrival("a")], size_bytes=1)]
        until(lambda: bool(store.groups), timeout_s=5, what="the first is not being stored")
        waiting += [pool.submit(collector.take, [arrival(name)], size_bytes=1) for name in "bc"]
        until(lambda: len(collector._waiting) == 2, timeout_s=5, what="the others do not wait")
        with pytest.raises(Full) as refused:
            collector.take([arrival("d")], size_bytes=1)
        store.go.set()
        assert [future.result(10)[0].public_id for future in waiting] == ["a", "b", "c"]
    again = [found.public_id for found in collector.take([arrival("e")], size_bytes=1)]
    collector.rest()
    return [refused.value.code, refused.value.retryable, again]


def test_take_on_loop_holds_no_thread() -> None:
    store = Store()
    store.go.set()
    collector = Collector(store)

    async def all_at_once() -> list[list[Receipt]]:
        asks = [collector.take_on_loop([arrival(str(number))], size_bytes=1) for number in range(500)]
        return await asyncio.gather(*asks)

    with ThreadPoolExecutor(1) as thread:  # a browser test may have left a loop to this one
        found = thread.submit(lambda: asyncio.run(all_at_once())).result(30)
    collector.rest()
    assert [receipts[0].public_id for receipts in found] == [str(number) for number in range(500)]
    assert len(store.groups) < 500


def test_rest_ends_the_thread_after_what_waits() -> None:
    store = Store()
    store.go.set()
    collector = Collector(store)
    collector.take([arrival("a")], size_bytes=1)
    thread = collector._thread
    collector.rest()
    assert thread is not None
    assert not thread.is_alive()
    assert collector.take([arrival("b")], size_bytes=1) == [receipt("b")]
    collector.rest()
