"""Background work: the doorbell. Rows are the truth; a job that is lost is rung again by the sweeper."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any

from celery import Celery
from django.db import transaction
from django.utils import timezone

from meshline.kernel import counters

log = logging.getLogger(__name__)
_held_back: ContextVar[dict[str, Any] | None] = ContextVar("bells held back", default=None)


def enqueue(task: str, **kwargs: Any) -> None:
    """Send `task` by name once the running transaction has committed. A broker that is down is logged, never raised."""
    transaction.on_commit(lambda: _send(task, kwargs))


def ring(task: str, *, at_most_every_s: float = 0.2, **kwargs: Any) -> None:
    """As `enqueue`, but not more often than that over all processes: one bell wakes a worker for any number of rows."""
    transaction.on_commit(lambda: _ring(task, at_most_every_s, kwargs))


def ring_at(task: str, at: datetime) -> None:
    """Ring `task` then, at most once for the same second, however many ask. Lost with the worker that keeps it in mind: the sweeper rings too."""
    countdown_s = max((at - timezone.now()).total_seconds(), 0)
    try:
        if _first(f"bell-at:{task}:{int(at.timestamp())}", countdown_s + 1):
            _send(task, {}, countdown=countdown_s)
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the rows are committed
        log.warning("bell for %s not set, the sweeper will ring: %s", task, error)


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
    if at_most_every_s > 0 and (_is_coming(f"{task}:{kwargs}") or counters.FUSE.is_blown()):
        return
    try:
        if at_most_every_s <= 0 or _first(f"bell:{task}:{kwargs}", at_most_every_s):
            _send(task, kwargs)
        elif _first(f"late-bell:{task}:{kwargs}", at_most_every_s):
            # The worker may have looked just before this row was committed: one more bell when the interval is over.
            comes_at = time.monotonic() + at_most_every_s
            if _send(task, kwargs, countdown=at_most_every_s):
                _coming[f"{task}:{kwargs}"] = comes_at
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, the rows are committed
        counters.FUSE.blow()
        log.warning("bell for %s not rung, the sweeper will: %s", task, error)


def _is_coming(name: str) -> bool:
    """Whether this process has sent a late bell that is still to ring: whoever hears it sees what is committed by now."""
    return time.monotonic() < _coming.get(name, 0.0)


def _first(name: str, within_s: float) -> bool:
    """Whether nobody asked this within that time. Not by Django's cache, which counts whole seconds and so forgets at once."""
    return bool(counters.client().set(f"meshline:{name}", 1, nx=True, px=max(int(within_s * 1000), 1)))


def _send(task: str, kwargs: dict[str, Any], **options: Any) -> bool:
    try:
        _sender().send_task(task, kwargs=kwargs, retry=False, **options)
        return True
    except Exception as error:  # noqa: BLE001 - see _ring
        log.warning("task %s not sent, the sweeper will: %s", task, error)
        return False


_coming: dict[str, float] = {}


@lru_cache(maxsize=1)
def _sender() -> Celery:
    """Knows the broker from settings in every process; the workers' own application is made by the top layer, which web processes never import."""
    app = Celery("doorbell", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app
