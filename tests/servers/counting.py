"""An ERP that takes orders, some time for each, and remembers when each call came, how many were under way at once, and what it was told to answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.servers.scripted import Asked, answer, serving


@dataclass
class Erp:
    """`says`: the status it answers instead of working, with these headers; None: it works. `arrived`: monotonic times of all calls."""

    takes_s: float = 0.0
    says: int | None = None
    headers: tuple[str, ...] = ()
    url: str = ""
    arrived: list[float] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0
    orders: dict[str, list[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, asked: Asked) -> bytes:
        with self.lock:
            self.arrived.append(time.monotonic())
            self.methods.append(asked.method)
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            if self.takes_s:
                time.sleep(self.takes_s)  # the far side works
            return self._answer(asked)
        finally:
            with self.lock:
                self.under_way -= 1

    def most_within(self, seconds: float) -> int:
        """The most calls that came within any such time."""
        times = sorted(self.arrived)
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] > seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def _answer(self, asked: Asked) -> bytes:
        if self.says is not None:
            return answer(self.says, b'{"error": "as told"}', *self.headers)
        if asked.method == "GET":
            wanted = parse_qs(urlsplit(asked.target).query).get("external_id", [""])[0]
            items = [{"number": number, "external_id": wanted} for number in self.orders.get(wanted, [])]
            return answer(200, json.dumps({"items": items}).encode())
        with self.lock:
            reference = json.loads(asked.body)["external_id"]
            number = f"SO-{reference}-{len(self.orders.setdefault(reference, [])) + 1}"
            self.orders[reference].append(number)
        return answer(201, json.dumps({"number": number, "external_id": reference}).encode())


@contextmanager
def counting(*, takes_s: float = 0.0) -> Iterator[Erp]:
    erp = Erp(takes_s=takes_s)
    with serving(erp.respond) as server:
        erp.url = server.url
        yield erp
