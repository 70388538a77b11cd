"""Keeps the slots of waves that are under way: a lease each, renewed while the process lives, so that a killed worker's come back by themselves."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncflows.engine.limits import shared
from syncflows.engine.limits.shared import Lost

if TYPE_CHECKING:
    from syncflows.engine.limits.meter import Grant

LEASE_S = 10.0
RENEW_EVERY_S = 3.0


class Keeper:
    """One thread a process, which sleeps while nothing is held."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Grant] = {}
        self._changed = threading.Condition()
        self._pid = 0

    def keep(self, grants: Sequence[Grant]) -> None:
        with self._changed:
            if self._pid != os.getpid():  # the first time, or in a fork, which inherits no thread
                self._pid = os.getpid()
                self._held.clear()
                threading.Thread(target=self._run, name="slots", daemon=True).start()
            self._held.update({(grant.system, grant.holder): grant for grant in grants})
            self._changed.notify()

    def leave(self, grants: Sequence[Grant]) -> None:
        with self._changed:
            for grant in grants:
                self._held.pop((grant.system, grant.holder), None)

    def clear(self) -> None:
        with self._changed:
            self._held.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._held))
            time.sleep(RENEW_EVERY_S)
            self._renew()

    def _renew(self) -> None:
        """With the lock held: slots that are given back at this moment must not come to life again."""
        with self._changed:
            rows = [
                {"system": one.system, "holder": one.holder, "slots": one.slots, "lease_us": int(LEASE_S * 1_000_000)}
                for one in self._held.values()
            ]
            if rows:
                with contextlib.suppress(Lost):
                    shared.counters().renew(rows)


KEEPER = Keeper()
