"""Doorbells: rung once for many rows, and never in the way of the work."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from celery.signals import before_task_publish
from django.db import transaction

from meshline.kernel import jobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The names of the tasks that are sent to the broker."""
    names: list[str] = []

    def hear(sender: str = "", **_: object) -> None:
        names.append(sender)

    before_task_publish.connect(hear, weak=False)
    yield names
    before_task_publish.disconnect(hear)


def test_one_ring_rings_each_bell_once_at_its_end(heard: list[str]) -> None:
    one, other = f"tests.{uuid4().hex}", f"tests.{uuid4().hex}"
    with jobs.one_ring():
        for name in (one, other, one, one):
            with transaction.atomic():
                jobs.ring(name)
        assert heard == []
    assert heard == [one, other]


def test_one_ring_forgets_what_was_rolled_back(heard: list[str]) -> None:
    with jobs.one_ring(), transaction.atomic():
        jobs.ring(f"tests.{uuid4().hex}")
        transaction.set_rollback(True)
    assert heard == []
