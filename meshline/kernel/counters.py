"""Counts that all processes share, kept in Valkey, for /metrics. They may be lost with it: what must be right is counted from rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from meshline.kernel.fuses import Fuse

log = logging.getLogger(__name__)
KEY = "meshline:counters"
TIMEOUT_S = 1.0
FUSE = Fuse(rest_s=2.0)  # for callers who can do without: one that does not answer is left alone for a moment


def add(counts: Mapping[str, int]) -> None:
    """Add to named counters once the running transaction has committed. A broker that is down costs the count, never the caller."""
    transaction.on_commit(lambda: _add(counts))


def read() -> dict[str, int]:
    """All counters by name. Raises redis.RedisError where Valkey does not answer."""
    found: dict[bytes, bytes] = client().hgetall(KEY)  # type: ignore[assignment]
    return {name.decode(): int(value) for name, value in found.items()}


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """This process's client, with short time-outs. A connection that was closed is opened once more; nothing is waited for."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 1)
    )


def _add(counts: Mapping[str, int]) -> None:
    if FUSE.is_blown():
        return
    try:
        with client().pipeline(transaction=False) as pipe:
            for name, number in counts.items():
                pipe.hincrby(KEY, name, number)
            pipe.execute()
    except redis.RedisError as error:
        FUSE.blow()
        log.warning("counters not written: %s", error)
