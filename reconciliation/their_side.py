"""Their side of a comparison: what the target lists for a window, and what it finds by our reference. Calls outside; never inside a transaction of ours."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time

from meshline.kernel.errors import Conflict
from ownership.enums import SystemState
from ownership.models import System
from reconciliation.our_side import Subject
from syncflows.connectors.errors import Misconfigured, NotFound
from syncflows.connectors.protocol import JSON
from syncflows.engine.connections import connection

log = logging.getLogger(__name__)
THREADS_MAX = 8
LAST_SECOND = time(23, 59, 59)


class Target:
    """The target of one comparison. `can_find`: it looks documents up by our reference (known after the first try)."""

    def __init__(self, about: Subject) -> None:
        """Raises Misconfigured, Conflict (the system is paused by a person)."""
        state = System.objects.filter(name=about.system.name, state=SystemState.PAUSED).first()
        if state is not None:
            raise Conflict(
                f"{about.system.name} is paused by a person: {state.state_reason or 'no reason given'}. Resume it, then compare.",
                code="system_paused",
            )
        self._rule, self._system = about.rule, about.system
        self._connector = connection(about.system)
        self._writing = writing_operation(about)
        self.can_find = bool(self._writing)

    def listed(self, *, first: date, last: date) -> Iterator[JSON]:
        """Every document of these days, both included, as far as the system's own filter goes."""
        since = datetime.combine(first, time.min, UTC)
        until = datetime.combine(last, LAST_SECOND, UTC)
        return self._connector.list_window(self._rule.operation, since=since, until=until)

    def found(self, keys: Collection[str]) -> dict[str, list[JSON]]:
        """Documents by our reference, an empty list where there is none. Empty altogether where the system offers no look-up."""
        if not keys or not self.can_find:
            return {}
        wanted = sorted(keys)
        with ThreadPoolExecutor(min(THREADS_MAX, self._system.spec.concurrency, len(wanted)), "reconcile") as pool:
            try:
                return dict(zip(wanted, pool.map(self._find, wanted), strict=True))
            except Misconfigured as error:
                log.warning("%s cannot be asked by reference; what it lists counts: %s", self._system.name, error)
                self.can_find = False
                return {}

    def _find(self, key: str) -> list[JSON]:
        try:
            return [dict(answer.document) for answer in self._connector.find(self._writing, reference=key)]
        except NotFound:
            return []


def writing_operation(about: Subject) -> str:
    """The operation that writes what the rule compares: the step with the same reference, else the first into that system."""
    steps = [step for step in about.flow.spec.steps if step.system == about.rule.system]
    same = [step for step in steps if step.reference == about.rule.ours]
    return (same or steps)[0].operation if steps else ""
