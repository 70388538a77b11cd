"""Files wait for their turn at the gate where HTTP senders are sent away: an import takes as long as its source's quotas and the backlog say."""

from __future__ import annotations

import time
from collections.abc import Callable

from meshline.kernel.errors import MeshlineError
from syncflows.engine.door import backlog, gate, paces
from syncflows.engine.door.errors import BacklogFull, Later, QuotaUsedUp
from syncflows.governance.catalog import Catalog

LOOK_EVERY_S = 5.0
PATIENCE_S = 60.0  # with a backlog that nobody works off
Tell = Callable[[str], None]


def most_at_once(source: str, definitions: Catalog) -> int | None:
    """Events that may be taken in one step; None: any number."""
    limit = paces.limit_of(gate.intake_of(source, definitions))
    return min((burst for _, burst in limit.paces.values()), default=None) if limit else None


def wait(source: str, number: int, definitions: Catalog, *, tell: Tell = lambda words: None) -> None:
    """Returns when so many events of the source may be taken; their quota is used then. `tell` hears why it waits.

    Raises QuotaUsedUp for a day's quota, BacklogFull where nothing is worked off, NeverFits.
    """
    idle_since = time.monotonic()
    while verdict := _verdict(source, number, definitions):
        if not isinstance(verdict, Later) or verdict.context.get("quota") == paces.DAY:
            raise verdict
        if not isinstance(verdict, BacklogFull) or backlog.GAUGE.count.done_per_s > 0:
            idle_since = time.monotonic()
        if time.monotonic() - idle_since > PATIENCE_S:
            raise verdict
        tell(verdict.message)
        time.sleep(min(_wait_s(verdict), LOOK_EVERY_S))


def _verdict(source: str, number: int, definitions: Catalog) -> MeshlineError | None:
    if not backlog.GAUGE.count.is_fresh() or backlog.GAUGE.count.age_s() > backlog.EVERY_S:
        backlog.GAUGE.refresh(definitions)
    return gate.verdicts([{source: number}], definitions)[0]


def _wait_s(verdict: Later) -> float:
    return verdict.wait_s if isinstance(verdict, QuotaUsedUp) else float(verdict.retry_after_s)
