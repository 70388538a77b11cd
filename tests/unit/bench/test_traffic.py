"""The fault run's events: as many as asked, the same for the same seed, some of them late."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from bench.chaos import traffic


@pytest.mark.parametrize("share", [0, 0.8, 1])
def test_deals_makes_as_many_events_as_asked_each_once(share: float) -> None:
    made = traffic.deals(random.Random(5), events=500, touched_again=share)
    assert len({event.event_id for event in made}) == 500


def test_deals_touches_each_deal_once_when_asked() -> None:
    made = traffic.deals(random.Random(5), events=200, touched_again=0)
    assert len({event.key for event in made}) == 200


def test_deals_is_the_same_for_the_same_seed() -> None:
    assert traffic.deals(random.Random(5), events=100, touched_again=0.8) == traffic.deals(
        random.Random(5), events=100, touched_again=0.8
    )


def test_deals_lets_some_events_arrive_late() -> None:
    arrived: dict[str, list[str]] = defaultdict(list)
    for event in traffic.deals(random.Random(5), events=1000, touched_again=1):
        arrived[event.key].append(event.sequence)
    assert any(sequences != sorted(sequences) for sequences in arrived.values())
    assert all(len(set(sequences)) == len(sequences) for sequences in arrived.values())


def test_batches_leaves_nothing_out() -> None:
    made = traffic.deals(random.Random(5), events=333, touched_again=0.8)
    assert [event for some in traffic.batches(random.Random(5), made) for event in some] == made


def test_deals_touches_eight_keys_in_ten_more_than_once() -> None:
    touched: dict[str, int] = defaultdict(int)
    for event in traffic.deals(random.Random(5), events=5000, touched_again=0.8):
        touched[event.key] += 1
    again = sum(count > 1 for count in touched.values()) / len(touched)
    assert 0.75 < again < 0.85
