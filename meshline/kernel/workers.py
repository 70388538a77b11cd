"""Which workers live: each reports with its heartbeat to Valkey; /readyz asks."""

from __future__ import annotations

import logging
import time
from typing import Any

import redis
from celery.signals import heartbeat_sent, worker_ready, worker_shutdown

from meshline.kernel import counters

log = logging.getLogger(__name__)
KEY = "meshline:workers"
REPORT_EVERY_S = 5.0
FORGET_AFTER_S = 3600.0
_reported: dict[str, float] = {}


def report(name: str) -> None:
    """This worker lives. Writes at most every five seconds; a broker that is down is logged, never raised."""
    now = time.time()
    if now - _reported.get(name, 0) < REPORT_EVERY_S:
        return
    _reported[name] = now
    try:
        counters.client().zadd(KEY, {name: now})
        counters.client().zremrangebyscore(KEY, 0, now - FORGET_AFTER_S)
    except redis.RedisError as error:
        log.warning("worker %s could not report: %s", name, error)


def forget(name: str) -> None:
    """This worker ends in order."""
    _reported.pop(name, None)
    try:
        counters.client().zrem(KEY, name)
    except redis.RedisError as error:
        log.warning("worker %s could not sign off: %s", name, error)


def recent(*, within_s: float) -> list[str]:
    """Names of the workers that reported lately. Raises redis.RedisError where Valkey does not answer."""
    names: list[bytes] = counters.client().zrangebyscore(KEY, time.time() - within_s, "+inf")  # type: ignore[assignment]
    return [name.decode() for name in names]


@heartbeat_sent.connect  # type: ignore[untyped-decorator]
def _on_heartbeat(sender: Any, **_: Any) -> None:
    report(str(sender.eventer.hostname))


@worker_ready.connect  # type: ignore[untyped-decorator]
def _on_ready(sender: Any, **_: Any) -> None:
    report(str(sender.hostname))


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _on_shutdown(sender: Any, **_: Any) -> None:
    forget(str(sender.hostname))
