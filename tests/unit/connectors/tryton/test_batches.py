"""Several threads' work in one call."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncflows.connectors.tryton.batches import Batches


def test_submit_works_on_every_item_once_and_never_twice_at_a_time() -> None:
    seen: list[list[int]] = []
    alone = threading.Lock()

    def work(items: list[int]) -> None:
        assert alone.acquire(blocking=False)
        seen.append(items)
        alone.release()

    batches = Batches(work, size=5)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(batches.submit, range(60)))
    assert sorted(item for batch in seen for item in batch) == list(range(60))
    assert max(len(batch) for batch in seen) <= 5


def test_submit_gathers_those_who_come_while_others_are_worked_on() -> None:
    sizes: list[int] = []
    first, go = threading.Event(), threading.Event()

    def work(items: list[int]) -> None:
        sizes.append(len(items))
        if len(sizes) == 1:
            first.set()
            assert go.wait(10)

    batches = Batches(work, size=10)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(batches.submit, 0)
        assert first.wait(10)
        others = [pool.submit(batches.submit, number) for number in range(1, 7)]
        while batches.waiting < 6:
            threading.Event().wait(0.005)
        go.set()
        for other in others:
            other.result(10)
    assert sizes == [1, 6]


def test_submit_raises_to_each_of_the_batch_and_goes_on() -> None:
    def work(items: list[int]) -> None:
        if 13 in items:
            raise ZeroDivisionError

    batches = Batches(work, size=1)
    with pytest.raises(ZeroDivisionError):
        batches.submit(13)
    batches.submit(1)
