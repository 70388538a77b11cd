"""The load generator: a source system that sends signed webhooks over kept-open HTTP/1.1 connections. A process of its own, cheap in processor time.

Closed loop: each connection sends the next event once the last was answered. Open loop: events are due at drawn moments whatever the server
does, and latency counts from the moment an event was due, so that a stalled server cannot hide the events it kept waiting.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import hmac
import json
import random
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench import deals
from bench.answers import Answers

HEAD = (
    "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nUser-Agent: crm\r\nwebhook-id: {id}\r\n"
    "webhook-timestamp: {timestamp}\r\nwebhook-signature: v1,{signature}\r\nContent-Length: {length}\r\n\r\n"
)
LONGEST_WAIT_S = 5.0
PATIENCE_S = 120.0
MOST_CUTS = 5


@dataclass(frozen=True)
class Job:
    """What to send. rate: events a second for an open loop, or None. first: the number of the first deal.
    until_failure: end at the first answer that is neither yes nor 429, or at a cut connection."""

    url: str
    secret: str
    prefix: str
    count: int
    connections: int = 64
    rate: float | None = None
    first: int = 0
    until_failure: bool = False


@dataclass
class Tally:
    """What came back. latencies_s: of acknowledged events, from when they were due. refused: answers 429, each sent again after its Retry-After."""

    began_at: float = 0.0
    ended_at: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    broken: int = 0


@dataclass
class Sending:
    number: int
    due_at: float
    text: bytes
    cuts: int = 0


class Connection(asyncio.Protocol):
    """One kept-open connection; one request at a time."""

    def __init__(self, source: Source) -> None:
        self.source, self.answers = source, Answers()
        self.sending: Sending | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.sending:
            transport.write(self.sending.text)
        else:
            self.source.free(self)

    def send(self, sending: Sending) -> None:
        self.sending = sending
        assert self.transport is not None
        self.transport.write(sending.text)

    def data_received(self, data: bytes) -> None:
        for answer in self.answers.feed(data):
            sending, self.sending = self.sending, None
            assert sending is not None, "an answer that nobody asked for"
            self.source.answered(self, sending, answer.status, answer.retry_after_s)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.source.lost(self)


class Source:
    """The sending system: what is still to be sent, who is free to send it, what came back."""

    def __init__(self, job: Job) -> None:
        self.job, self.tally = job, Tally()
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self.loop.create_future()
        self.next = 0
        self.waiting: deque[Sending] = deque()
        self.idle: list[Connection] = []
        self.draw = random.Random(7)
        parts = urlsplit(job.url)
        self.host, self.port, self.path = parts.hostname or "127.0.0.1", parts.port or 80, parts.path
        self.key = base64.b64decode(job.secret.removeprefix("whsec_"))

    async def run(self) -> Tally:
        self.tally.began_at = time.monotonic()
        if self.job.rate:
            self._due(self.tally.began_at)
        for _ in range(min(self.job.connections, self.job.count)):
            self._connect(Connection(self))
        await self.ended
        self.tally.ended_at = time.monotonic()
        return self.tally

    def free(self, connection: Connection) -> None:
        """Give it the next event: one that is due and waits, or in a closed loop simply the next."""
        if self.waiting:
            connection.send(self.waiting.popleft())
        elif self.job.rate is None and self.next < self.job.count:
            connection.send(self._take(time.monotonic()))
        else:
            self.idle.append(connection)

    def answered(self, connection: Connection, sending: Sending, status: int, retry_after_s: float) -> None:
        self.tally.statuses[status] += 1
        if status == 429:
            self.tally.refused += 1
            self.loop.call_later(min(retry_after_s, LONGEST_WAIT_S), self._again, connection, sending)
            return
        if 200 <= status < 300:
            self.tally.latencies_s.append(time.monotonic() - sending.due_at)
            self.tally.acknowledged.append(sending.number)
        else:
            self.tally.broken += 1
            if self.job.until_failure and not self.ended.done():
                self.ended.set_result(None)
        self._count_down()
        if not self.ended.done():
            self.free(connection)

    def lost(self, connection: Connection) -> None:
        """The server closed a kept-open connection: what was on it is sent again, as a source does."""
        if connection in self.idle:
            self.idle.remove(connection)
        if self.job.until_failure and connection.sending and not self.ended.done():
            self.ended.set_result(None)
        if self.ended.done():
            return
        if connection.sending:
            connection.sending.text = self._text(connection.sending.number)
            connection.sending.cuts += 1
            if connection.sending.cuts > MOST_CUTS:
                self.ended.set_exception(ConnectionError(f"{self.job.url} closes the connection without an answer"))
                return
        connection.answers = Answers()
        self._connect(connection)

    def _again(self, connection: Connection, sending: Sending) -> None:
        sending.text = self._text(sending.number)
        if connection.transport is None:
            connection.sending = sending
            self._connect(connection)
        else:
            connection.send(sending)

    def _connect(self, connection: Connection) -> None:
        task = self.loop.create_task(self.loop.create_connection(lambda: connection, self.host, self.port))
        task.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self.ended.done():
            self.ended.set_exception(error)

    def _due(self, at: float) -> None:
        """Open loop: this event is due now, and the next one after a drawn while."""
        assert self.job.rate is not None
        now = time.monotonic()
        while at <= now and self.next < self.job.count:
            sending = self._take(at)
            if self.idle:
                self.idle.pop().send(sending)
            else:
                self.waiting.append(sending)
            at += self.draw.expovariate(self.job.rate)
        if self.next < self.job.count:
            self.loop.call_at(self.loop.time() + at - time.monotonic(), self._due, at)

    def _take(self, due_at: float) -> Sending:
        number = self.job.first + self.next
        self.next += 1
        return Sending(number, due_at, self._text(number))

    def _text(self, number: int) -> bytes:
        """The signed request (Standard Webhooks 1.0)."""
        event = deals.event(f"{self.job.prefix}-{number}", number)
        body, timestamp = json.dumps(event), int(time.time())
        name = f"evt-{event['data']['deal_id']}"
        digest = hmac.new(self.key, f"{name}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
        signature = base64.b64encode(digest).decode()
        host = f"{self.host}:{self.port}"
        head = HEAD.format(
            path=self.path, host=host, id=name, timestamp=timestamp, signature=signature, length=len(body)
        )
        return (head + body).encode()

    def _count_down(self) -> None:
        if len(self.tally.latencies_s) + self.tally.broken >= self.job.count and not self.ended.done():
            self.ended.set_result(None)


async def send(job: Job) -> Tally:
    return await asyncio.wait_for(Source(job).run(), timeout=PATIENCE_S + job.count / 10)


def main() -> None:
    """Reads jobs as lines of JSON, answers each with a line of JSON, ends with its input."""
    gc.disable()  # a pause of ours would be counted as theirs
    for line in sys.stdin:
        tally = asyncio.run(send(Job(**json.loads(line))))
        gc.collect()
        print(json.dumps({**vars(tally), "statuses": dict(tally.statuses)}), flush=True)


if __name__ == "__main__":
    main()
