"""Background work: the doorbell. Rows are the truth; a job that is lost is rung again by the sweeper."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from celery import Celery
from django.core.cache import cache
from django.db import transaction

log = logging.getLogger(__name__)
_held_back: ContextVar[dict[str, Any] | None] = ContextVar("bells held back", default=None)


def enqueue(task: str, **kwargs: Any) -> None:
    """Send `task` by name once the running transaction has committed. A broker that is down is logged, never raised."""
    transaction.on_commit(lambda: _send(task, kwargs))


def ring(task: str, *, at_most_every_s: float = 0.2, **kwargs: Any) -> None:
    """As `enqueue`, but not more often than that over all processes: one bell wakes a worker for any number of rows."""
    transaction.on_commit(lambda: _ring(task, at_most_every_s, kwargs))


@contextmanager
def one_ring() -> Iterator[None]:
    """Within this block each bell rings once, at its end: a thousand small transactions need not ask the broker a thousand times."""
    held: dict[str, Any] = {}
    token = _held_back.set(held)
    try:
        yield
    finally:
        _held_back.reset(token)
        for task, kwargs in held.values():
            _ring(task, 0, kwargs)


def _ring(task: str, at_most_every_s: float, kwargs: dict[str, Any]) -> None:
    held = _held_back.get()
    if held is not None:
        held[f"{task}:{kwargs}"] = (task, kwargs)
        return
    try:
        if cache.add(f"bell:{task}:{kwargs}", 1, timeout=max(at_most_every_s, 0.05)):
            _send(task, kwargs)
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the rows are committed
        log.warning("bell for %s not rung, the sweeper will: %s", task, error)


def _send(task: str, kwargs: dict[str, Any]) -> None:
    try:
        _sender().send_task(task, kwargs=kwargs, retry=False)
    except Exception as error:  # noqa: BLE001 - see _ring
        log.warning("task %s not sent, the sweeper will: %s", task, error)


@lru_cache(maxsize=1)
def _sender() -> Celery:
    """Knows the broker from settings in every process; the workers' own application is made by the top layer, which web processes never import."""
    app = Celery("doorbell", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app
