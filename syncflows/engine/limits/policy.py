"""What a system's definition allows, in the form the counters take. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncflows.connectors import pacing
from syncflows.connectors.pacing import Pace
from syncflows.governance.schemas.systems import Breaker, Timeouts

if TYPE_CHECKING:
    from syncflows.governance.catalog import Versioned
    from syncflows.governance.schemas import System


@dataclass(frozen=True)
class Policy:
    """`paces` of every call to the system; `by_operation` what operations narrow further."""

    system: str
    concurrency: int
    paces: tuple[Pace, ...]
    by_operation: dict[str, tuple[Pace, ...]]
    breaker: Breaker
    timeouts: Timeouts

    def paces_of(self, operation: str) -> tuple[Pace, ...]:
        return self.paces + self.by_operation.get(operation, ())

    @property
    def has_paces(self) -> bool:
        return bool(self.paces or self.by_operation)

    @property
    def every_s(self) -> float:
        """Seconds between two calls that the rate allows on average; 0 without a limit."""
        return max((pace.interval_us for pace in self.paces), default=0.0) / pacing.MICRO

    @property
    def try_lasts_s(self) -> float:
        """Longer than the one call of a half-open circuit takes; then another item may try, since whoever tried has died."""
        return float(5 + self.timeouts.connect_s + 6 * self.timeouts.read_s)


_known: dict[str, tuple[str, Policy]] = {}


def of(system: Versioned) -> Policy:
    """Worked out once per version of a definition."""
    fingerprint, found = _known.get(system.name, ("", None))
    if found is None or fingerprint != system.fingerprint:
        found = read(system.name, system.spec)
        _known[system.name] = (system.fingerprint, found)
    return found


def read(name: str, spec: System) -> Policy:
    return Policy(
        name, spec.concurrency, pacing.paces(spec.rate_limit), pacing.narrowed(spec.operations), spec.breaker, spec.timeouts
    )  # fmt: skip
