"""Doorbells: rung once for many rows, and never in the way of the work."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from celery.signals import before_task_publish
from django.db import connection, transaction
from django.utils import timezone

from meshline.kernel import jobs, task_connections

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


def test_ring_at_rings_once_for_the_same_second(heard: list[str]) -> None:
    name, at = f"tests.{uuid4().hex}", timezone.now().replace(microsecond=0) + timedelta(seconds=3)
    for moment in (at, at + timedelta(milliseconds=400), at + timedelta(seconds=1)):
        jobs.ring_at(name, moment)
    assert heard == [name, name]


def test_give_back_keeps_the_pool_and_returns_the_connection(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        before = set(cursor.fetchall())
    task_connections.give_back()
    assert connection.connection is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() in before, "one that was open, from the pool"
