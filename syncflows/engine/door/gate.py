"""Who is let in: first by the backlog, then by the quotas of the sources. One look for all requests of a group; free where nothing is limited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from meshline.kernel.errors import MeshlineError
from syncflows.engine import counters
from syncflows.engine.arrivals import Arrival
from syncflows.engine.door import backlog, paces
from syncflows.engine.door.errors import Later, NeverFits, QuotaUsedUp
from syncflows.engine.door.paces import Demand, Limit, Refusal
from syncflows.engine.door.quotas import QUOTAS
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.intake import Intake

WORDS = {paces.SECOND: "a second", paces.MINUTE: "a minute", paces.DAY: "a day"}


def judge(requests: Sequence[Sequence[Arrival]], definitions: Catalog) -> list[MeshlineError | None]:
    """For each request why nothing of it is taken, or None. What is let in has used its quota. Counts refusals."""
    found = verdicts([Counter(arrival.source for arrival in arrivals) for arrivals in requests], definitions)
    refused = [verdict for verdict in found if isinstance(verdict, Later)]
    if refused:
        counters.count_refused_intake([(verdict.source, verdict.code) for verdict in refused])
    return found


def verdicts(demands: Sequence[Demand], definitions: Catalog) -> list[MeshlineError | None]:
    """The same of events by source. Never raises."""
    specs = {source: intake_of(source, definitions) for demand in demands for source in demand}
    found = [_backlog(demand, specs) for demand in demands]
    limits = {source: limit for source, spec in specs.items() if (limit := paces.limit_of(spec))}
    if not limits:
        return found
    limited = [{source: number for source, number in demand.items() if source in limits} for demand in demands]
    asked = []
    for index, demand in enumerate(limited):
        found[index] = found[index] or _never(demand, limits)
        if demand and found[index] is None:
            asked.append(index)
    if asked:
        for index, refusal in zip(asked, QUOTAS.take([limited[index] for index in asked], limits), strict=True):
            found[index] = _used_up(refusal, specs[refusal.source]) if refusal else None
    return found


def intake_of(source: str, definitions: Catalog) -> Intake | None:
    system = definitions.by_kind.get(Kind.SYSTEM, {}).get(source)
    return system.spec.ingest if system else None


def _backlog(demand: Demand, specs: Mapping[str, Intake | None]) -> MeshlineError | None:
    return next((full for source in demand if (full := backlog.GAUGE.verdict(source, specs[source]))), None)


def _never(demand: Demand, limits: Mapping[str, Limit]) -> NeverFits | None:
    source = next((source for source, number in demand.items() if not limits[source].fits(number)), None)
    if source is None:
        return None
    most = min([burst for _, burst in limits[source].paces.values()] + [limits[source].per_day or demand[source]])
    return NeverFits(
        f"{demand[source]:,} events of {source} in one request are more than it may ever send at once ({most:,}). Send smaller batches, or raise "
        f"`ingest.burst` in its definition. Nothing of this request was kept.",
        context={"source": source, "most": most},
    )  # fmt: skip


def _used_up(refusal: Refusal, spec: Intake | None) -> QuotaUsedUp:
    allowed = getattr(spec, refusal.quota)
    return QuotaUsedUp(
        f"{refusal.source} sends more than the {allowed:,g} events {WORDS[refusal.quota]} of its definition.",
        retry_after_s=refusal.wait_us / paces.SECOND_US,
        source=refusal.source,
        quota=refusal.quota,
    )
