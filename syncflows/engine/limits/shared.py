"""The counters that all workers share, in Valkey. One round trip a question; a Valkey that does not answer costs a second, then is left alone for a while.

Must not be asked inside a database transaction. Raises nothing but Lost.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from syncflows.engine.limits import scripts

log = logging.getLogger(__name__)
TIMEOUT_S = 1.0
LEFT_ALONE_S = 2.0
PREFIX = "meshline:permits"


class Lost(Exception):
    """Valkey does not answer; each process counts for itself."""


class Shared:
    """This process's way to the shared counters. `lost_since` epoch seconds, while it does not answer."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self.lost_since: float | None = None
        self._again_at = 0.0
        register = self.client.register_script
        self._admit, self._heard, self._take = register(scripts.ADMIT), register(scripts.HEARD), register(scripts.TAKE)
        self._renew, self._look, self._forget = (
            register(scripts.RENEW),
            register(scripts.LOOK),
            register(scripts.FORGET),
        )

    def admit(self, asks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._many(self._admit, asks)

    def heard(self, seen: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._many(self._heard, seen)

    def look(self, asks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._many(self._look, asks)

    def renew(self, held: Sequence[dict[str, Any]]) -> None:
        self._ask(lambda: self._renew(keys=_keys(held), args=[json.dumps(held)]))

    def take(self, system: str, ask: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask(lambda: self._take(keys=[key_of(system)], args=[json.dumps(ask)])))
        return found

    def forget(self, system: str, ask: dict[str, Any]) -> None:
        self._ask(lambda: self._forget(keys=[key_of(system)], args=[json.dumps(ask)]))

    def clear(self) -> None:
        """Forget everything: all counters may be lost at any time, and begin anew."""
        with contextlib.suppress(redis.RedisError):
            keys = list(self.client.scan_iter(match=key_of("*"), count=1000))
            if keys:
                self.client.delete(*keys)

    def _many(self, script: Script, asks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        if not asks:
            return []
        found: list[dict[str, Any]] = json.loads(self._ask(lambda: script(keys=_keys(asks), args=[json.dumps(asks)])))
        return found

    def _ask(self, question: Callable[[], Any]) -> Any:
        if time.monotonic() < self._again_at:
            raise Lost
        try:
            answer = question()
        except (redis.RedisError, OSError) as error:
            self._leave_alone(error)
            raise Lost from error
        if self.lost_since is not None:
            log.warning("Valkey answers again: limits are shared by all workers again")
            self.lost_since = None
        return answer

    def _leave_alone(self, error: Exception) -> None:
        self._again_at = time.monotonic() + LEFT_ALONE_S
        if self.lost_since is None:
            self.lost_since = time.time()
            log.warning("Valkey does not answer (%s): each process keeps to its part of the limits", error)


def _keys(asks: Sequence[dict[str, Any]]) -> list[str]:
    return [key_of(ask["system"]) for ask in asks]


def key_of(system: str) -> str:
    """Where a system's counters begin. By database: installations that share one Valkey do not share their systems' limits."""
    return f"{PREFIX}:{connection.settings_dict['NAME']}:{system}"


_lock = threading.Lock()
_open: dict[str, Shared] = {}


def counters() -> Shared:
    """This process's own, for the Valkey that settings name."""
    with _lock:
        url = settings.REDIS_URL
        if url not in _open:
            _open[url] = Shared(url)
        return _open[url]
