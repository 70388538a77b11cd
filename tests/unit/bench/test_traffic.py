"""The fault run's events: as many as asked, the same for the same seed, some of them late."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from bench.chaos import traffic


@pytest.mark.parametrize("touches", [1, 2, 4])
def test_deals_makes_as_many_events_as_asked_each_once(touches: int) -> None:
    made = traffic.deals(random.Random(5), events=500, touches=touches)
    assert len({event.event_id for event in made}) == 500


def test_deals_touches_each_deal_once_when_asked() -> None:
    made = traffic.deals(random.Random(5), events=200, touches=1)
    assert len({event.key for event in made}) == 200


def test_deals_is_the_same_for_the_same_seed() -> None:
    assert traffic.deals(random.Random(5), events=100, touches=2) == traffic.deals(
        random.Random(5), events=100, touches=2
    )


def test_deals_lets_some_events_arrive_late() -> None:
    arrived: dict[str, list[str]] = defaultdict(list)
    for event in traffic.deals(random.Random(5), events=1000, touches=3):
        arrived[event.key].append(event.sequence)
    assert any(sequences != sorted(sequences) for sequences in arrived.values())
    assert all(len(set(sequences)) == len(sequences) for sequences in arrived.values())


def test_batches_leaves_nothing_out() -> None:
    made = traffic.deals(random.Random(5), events=333, touches=2)
    assert [event for some in traffic.batches(random.Random(5), made) for event in some] == made
