"""Fair shares of a batch: by weight, nobody starved, nothing wasted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine import shares
from syncflows.engine.shares import Queue

PATIENCE_S = 60.0
queues = st.lists(
    st.builds(
        Queue,
        flow=st.sampled_from("abcdefghij"),
        priority=st.integers(0, 3000),
        depth=st.integers(1, 200),
        waited_s=st.floats(0, 1000),
    ),
    min_size=1, max_size=12, unique_by=lambda queue: (queue.flow, queue.priority),
)  # fmt: skip
masters = st.dictionaries(st.sampled_from("abcdefghij"), st.frozensets(st.sampled_from("abcdefghij"), max_size=3))


def divide(found: list[Queue], *, limit: int = 64, needs: dict | None = None) -> dict[str, int]:
    given_out = shares.divide(found, limit=limit, masters=needs or {}, patience_s=PATIENCE_S)
    return {queue.flow: slots for queue, slots in given_out.items()}


@given(queues, masters, st.integers(1, 200))
def test_divide_hands_out_what_there_is_and_no_more(found: list[Queue], needs: dict, limit: int) -> None:
    given_out = shares.divide(found, limit=limit, masters=needs, patience_s=PATIENCE_S)
    assert given_out, "something always goes"
    assert all(slots > 0 for slots in given_out.values())
    assert sum(given_out.values()) <= limit
    going = sum(queue.depth for queue in given_out)
    assert sum(given_out.values()) >= min(limit, going), "no slot is wasted while one of those that go could use it"


@given(queues, masters)
def test_who_has_waited_long_gets_something(found: list[Queue], needs: dict) -> None:
    given_out = shares.divide(found, limit=64, masters=needs, patience_s=PATIENCE_S)
    assert {queue for queue in found if queue.waited_s >= PATIENCE_S} <= set(given_out)


def test_a_flood_leaves_the_others_their_share() -> None:
    assert divide([Queue("flood", 100, 64, 50.0), Queue("few", 100, 10)]) == {"flood": 54, "few": 10}
    assert divide([Queue("flood", 100, 64, 50.0), Queue("other", 100, 64)]) == {"flood": 32, "other": 32}


@pytest.mark.parametrize(("priority", "slots"), [(0, 43), (100, 32), (200, 21), (300, 13), (1000, 2)])
def test_shares_follow_weights(priority: int, slots: int) -> None:
    found = divide([Queue("usual", 100, 64), Queue("other", priority, 64)])
    assert sum(found.values()) == 64
    assert found["other"] == pytest.approx(slots, abs=1)


def test_what_others_look_up_goes_first_for_a_while() -> None:
    customers, orders = Queue("customers", 50, 64), Queue("orders", 100, 64)
    needs = {"orders": frozenset({"customers"})}
    assert divide([customers, orders], needs=needs) == {"customers": 64}
    waited = Queue("orders", 100, 64, PATIENCE_S)
    assert divide([customers, waited], needs=needs)["orders"] > 20
    assert set(divide([customers, orders, Queue("tickets", 100, 64)], needs=needs)) == {"customers", "tickets"}


def test_two_flows_that_look_each_other_up_do_not_wait_for_each_other() -> None:
    needs = {"a": frozenset({"b"}), "b": frozenset({"a"})}
    assert divide([Queue("a", 100, 9), Queue("b", 100, 9)], needs=needs) == {"a": 9, "b": 9}


def test_imports_let_live_work_go_first() -> None:
    imported = Queue("import", 2100, 64, 10.0)
    assert divide([imported, Queue("live", 900, 3)]) == {"live": 3}
    assert divide([imported]) == {"import": 64}
    assert divide([Queue("import", 2100, 64, PATIENCE_S), Queue("live", 100, 64)])["import"] >= 1


def test_more_flows_than_places_take_turns_by_how_long_they_waited() -> None:
    found = [Queue(f"flow-{number}", 100, 5, float(number)) for number in range(10)]
    assert set(divide(found, limit=4)) == {"flow-9", "flow-8", "flow-7", "flow-6"}
