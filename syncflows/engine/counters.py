"""What the door has seen, counted for /metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from meshline.kernel import counters
from syncflows.engine.enums import IngestOutcome

EVENTS, WEBHOOKS_REFUSED, INTAKE_REFUSED = "events", "webhooks_refused", "intake_refused"


def count_events(outcomes: Iterable[IngestOutcome]) -> None:
    """Count outcomes once the running transaction has committed."""
    counters.add({f"{EVENTS}:{outcome.value}": number for outcome, number in Counter(outcomes).items()})


def count_refused_webhook(*, system: str, reason: str) -> None:
    counters.add({f"{WEBHOOKS_REFUSED}:{system}:{reason}": 1})


def count_refused_intake(refusals: Iterable[tuple[str, str]]) -> None:
    """Requests sent away with 429, by (system, reason)."""
    counters.add(
        {f"{INTAKE_REFUSED}:{system}:{reason}": number for (system, reason), number in Counter(refusals).items()}
    )
