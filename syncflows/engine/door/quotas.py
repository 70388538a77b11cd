"""Quotas shared by all web processes through Valkey: one round trip for all requests of a group, each taken whole or not at all.

Without Valkey each process keeps its part of the rates for itself, and goes on with the day's counts as it last saw them.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from meshline.kernel.fuses import Fuse
from syncflows.engine.door import paces
from syncflows.engine.door.paces import DAY_US, Demand, Limit, Refusal, State

log = logging.getLogger(__name__)
KEY, PROCESSES_KEY = "meshline:intake:", "meshline:intake-processes"
PROCESS_SEEN_S, STATE_KEPT_S = 60, 2 * 86_400
TIMEOUT_S = 0.25
REST_S = 1.0  # after a failure Valkey is left alone for so long

# ARGV[1]: {requests: [[[source, number]…]…], limits: {source: {paces: {name: [interval_us, burst]}, per_day}}, seen: {source: [day, taken]}, process}
# Answers {processes, now_us, taken: {source: [day, taken]}, refusals: [[request from 1, source, quota, wait_us]…]}. Time is Valkey's own.
SCRIPT = """
local asked = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local day = math.floor(clock[1] / 86400)
local states = {}
for source, limit in pairs(asked.limits) do
  local got = redis.call('HMGET', KEYS[1] .. source, 'per_second', 'per_minute', 'day', 'taken')
  local taken = 0
  if tonumber(got[3]) == day then taken = tonumber(got[4]) end
  local seen = asked.seen[source]
  if seen and seen[1] == day and seen[2] > taken then taken = seen[2] end
  states[source] = {per_second = tonumber(got[1]) or 0, per_minute = tonumber(got[2]) or 0, taken = taken}
end
local refusals = {}
for index, request in ipairs(asked.requests) do
  local longest, why, who = 0, '', ''
  for _, demand in ipairs(request) do
    local state, limit = states[demand[1]], asked.limits[demand[1]]
    for name, pace in pairs(limit.paces) do
      local over = math.max(state[name], now) + (demand[2] - pace[2]) * pace[1] - now
      if over > longest then longest, why, who = over, name, demand[1] end
    end
    if limit.per_day and state.taken + demand[2] > limit.per_day then
      local left = (day + 1) * 86400000000 - now
      if left > longest then longest, why, who = left, 'per_day', demand[1] end
    end
  end
  if longest > 0 then
    refusals[#refusals + 1] = {index, who, why, longest}
  else
    for _, demand in ipairs(request) do
      local state = states[demand[1]]
      for name, pace in pairs(asked.limits[demand[1]].paces) do
        state[name] = math.max(state[name], now) + demand[2] * pace[1]
      end
      state.taken = state.taken + demand[2]
    end
  end
end
local taken = {}
for source, state in pairs(states) do
  redis.call('HSET', KEYS[1] .. source, 'per_second', string.format('%.3f', state.per_second), 'per_minute', string.format('%.3f', state.per_minute),
    'day', day, 'taken', string.format('%.0f', state.taken))
  redis.call('EXPIRE', KEYS[1] .. source, ARGV[2])
  taken[source] = {day, state.taken}
end
redis.call('ZADD', KEYS[2], clock[1], asked.process)
redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, clock[1] - ARGV[3])
return cjson.encode({processes = redis.call('ZCARD', KEYS[2]), taken = taken, refusals = refusals})
"""


class Quotas:
    """One process's view of them. Shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fuse = Fuse(rest_s=REST_S)
        self._states: dict[str, State] = {}
        self._processes = 1
        self.is_alone = False

    def take(self, demands: Sequence[Demand], limits: Mapping[str, Limit]) -> list[Refusal | None]:
        """Each demand (events by source) is taken whole, or refused. `limits` names every source of every demand. Never raises."""
        if not self._fuse.is_blown():
            try:
                return self._shared(demands, limits)
            except (redis.RedisError, OSError, ValueError) as error:
                self._fuse.blow()
                self._alone(error)
        with self._lock:
            parts = {source: limit.shared_by(self._processes) for source, limit in limits.items()}
            states = {source: self._states.setdefault(source, State()) for source in limits}
            now_us = time.time_ns() / 1000
            return [paces.take(states, parts, demand, now_us=now_us) for demand in demands]

    def _shared(self, demands: Sequence[Demand], limits: Mapping[str, Limit]) -> list[Refusal | None]:
        with self._lock:
            seen = {source: [state.day, state.taken] for source, state in self._states.items() if source in limits}
        answer = json.loads(_script()(keys=[KEY, PROCESSES_KEY], args=[_question(demands, limits, seen), STATE_KEPT_S, PROCESS_SEEN_S]))  # fmt: skip
        self._learn(answer)
        found: list[Refusal | None] = [None] * len(demands)
        for index, source, quota, wait_us in answer["refusals"]:
            found[index - 1] = Refusal(source, quota, wait_us)
        return found

    def _learn(self, answer: Mapping[str, Any]) -> None:
        with self._lock:
            self._processes = max(1, answer["processes"])
            for source, (day, taken) in (answer["taken"] or {}).items():
                state = self._states.setdefault(source, State())
                state.day, state.taken = int(day), int(taken)
        if self.is_alone:
            self.is_alone = False
            log.warning("Valkey answers again: the quotas of sources are shared by all web processes")

    def _alone(self, error: Exception) -> None:
        if not self.is_alone:
            self.is_alone = True
            log.warning("Valkey does not answer (%s): this process keeps its part of the quotas of sources", error)


QUOTAS = Quotas()


def taken_today(sources: Sequence[str]) -> dict[str, int]:
    """Events taken of limited sources this UTC day, over all processes. Raises redis.RedisError."""
    today = time.time_ns() // 1000 // DAY_US
    with client().pipeline(transaction=False) as pipe:
        for source in sources:
            pipe.hmget(KEY + source, "day", "taken")
        rows = pipe.execute()
    return {source: int(taken) for source, (day, taken) in zip(sources, rows, strict=True) if day and int(day) == today}


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """Asked while senders wait: it answers at once or not at all."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )


@lru_cache(maxsize=1)
def _script() -> Any:
    return client().register_script(SCRIPT)


def _question(demands: Sequence[Demand], limits: Mapping[str, Limit], seen: Mapping[str, list[int]]) -> str:
    told = {source: {"paces": limit.paces, "per_day": limit.per_day} for source, limit in limits.items()}
    for limit in told.values():
        if limit["per_day"] is None:
            del limit["per_day"]  # null is a value to Lua's cjson
    requests = [list(demand.items()) for demand in demands]
    return json.dumps({"requests": requests, "limits": told, "seen": seen, "process": _process()})


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
