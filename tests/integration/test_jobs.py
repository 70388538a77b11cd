"""Doorbells."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from meshline.kernel import counters, jobs


@pytest.fixture
def queue(settings: Any) -> Iterator[str]:
    """A queue of this test's own in the broker."""
    jobs._sender.cache_clear()
    settings.CELERY_TASK_DEFAULT_QUEUE = name = "bells-of-a-test"
    client = counters.client()
    client.delete(name, *client.keys("meshline:*bell:a-test*"))
    yield name
    client.delete(name)
    jobs._sender.cache_clear()


@pytest.mark.django_db
def test_ring_sends_one_bell_now_and_one_after_the_interval(
    queue: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(50):
            jobs.ring("a-test", at_most_every_s=30)
    bells = counters.client().lrange(queue, 0, -1)
    assert len(bells) == 2  # type: ignore[arg-type]
    assert sum(b'"eta": null' in bell for bell in bells) == 1  # type: ignore[union-attr]


@pytest.mark.django_db
def test_ring_waits_for_the_commit(
    queue: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=False):
        jobs.ring("a-test")
    assert counters.client().llen(queue) == 0


@pytest.mark.django_db
def test_ring_with_the_broker_down_costs_the_bell_only(
    settings: Any, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    counters.client.cache_clear()
    try:
        with django_capture_on_commit_callbacks(execute=True):
            jobs.ring("another-test")
    finally:
        counters.client.cache_clear()
        counters.FUSE.mend()
    assert "the sweeper will" in caplog.text
