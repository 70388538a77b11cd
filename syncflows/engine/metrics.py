"""The engine in numbers, read from rows at each scrape; what no row knows (duplicates, refusals) from the shared counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from meshline.kernel import counters
from ownership.enums import Circuit
from ownership.models import System
from syncflows.engine import intake_figures
from syncflows.engine.counters import EVENTS, INTAKE_REFUSED, WEBHOOKS_REFUSED
from syncflows.engine.door.backlog import MARKS
from syncflows.engine.enums import DUE, IngestOutcome, RunStatus
from syncflows.engine.limits import figures
from syncflows.engine.models import Run
from syncflows.governance import catalog
from syncflows.governance.enums import Kind

OPENNESS = {Circuit.CLOSED: 0.0, Circuit.HALF_OPEN: 0.5, Circuit.OPEN: 1.0}


def door() -> Iterator[Metric]:
    """What came in, since the counters began."""
    found = counters.read()
    events = CounterMetricFamily("meshline_events", "Events at the door by outcome", labels=["outcome"])
    for outcome in IngestOutcome:
        events.add_metric([outcome.value], found.get(f"{EVENTS}:{outcome.value}", 0))
    yield events
    yield _refused("meshline_webhooks_refused", "Webhooks refused before anything was stored", WEBHOOKS_REFUSED, found)
    yield _refused("meshline_intake_refused", "Requests answered 429, by system and reason", INTAKE_REFUSED, found)


def intake() -> Iterator[Metric]:
    """What sources may send and have sent today; the backlog as the door sees it, and who waits because of it."""
    today = GaugeMetricFamily("meshline_intake_today", "Events of limited systems this UTC day", labels=["system"])
    allowed = GaugeMetricFamily("meshline_intake_per_day", "Events a UTC day that a system may send", labels=["system"])
    for name, day in intake_figures.of_limited().items():
        today.add_metric([name], day.today)
        if day.per_day is not None:
            allowed.add_metric([name], day.per_day)
    yield from (today, allowed)
    state = intake_figures.door()
    yield GaugeMetricFamily("meshline_intake_backlog", "Due runs at the door's last count", value=state.backlog)
    waits = GaugeMetricFamily("meshline_intake_waits", "Whether sources of this importance are sent away", labels=["importance"])  # fmt: skip
    for importance in MARKS:
        waits.add_metric([importance], importance in state.importances)
    yield waits


def _refused(name: str, words: str, counter: str, found: Mapping[str, int]) -> Metric:
    refused = CounterMetricFamily(name, words, labels=["system", "reason"])
    for key, number in found.items():
        kind, _, labels = key.partition(":")
        if kind == counter:
            refused.add_metric(labels.split(":", maxsplit=1), number)
    return refused


def runs() -> Iterator[Metric]:
    """Runs by status, and how long the longest-due one has waited."""
    counted = dict(Run.objects.values_list("status").annotate(number=Count("pk")).order_by())
    by_status = GaugeMetricFamily("meshline_runs", "Runs by status", labels=["status"])
    for status in RunStatus:
        by_status.add_metric([status.value], counted.get(status.value, 0))
    yield by_status
    now = timezone.now()
    oldest = Run.objects.filter(status__in=DUE, due_at__lte=now).aggregate(at=Min("due_at"))["at"]
    yield GaugeMetricFamily(
        "meshline_due_lag_seconds",
        "How long the run that is due longest has waited",
        value=(now - oldest).total_seconds() if oldest else 0,
    )


def systems() -> Iterator[Metric]:
    """Each system's circuit and limits; what only the shared counters know is left out while they are lost."""
    rows = list(System.objects.all())
    found = figures.of(catalog.current().by_kind.get(Kind.SYSTEM, {}), rows)
    yield _gauge(
        "circuit_open",
        "Whether no call is made: 1 open, 0.5 half-open",
        [(row.name, OPENNESS[Circuit(row.circuit)]) for row in rows],
    )
    yield _gauge("waiting_runs", "Runs that wait for it", [(name, one.waiting.runs) for name, one in found.items()])
    yield _gauge("calls_allowed_at_once", "Its concurrency", [(name, one.concurrency) for name, one in found.items()])
    shared = {name: one for name, one in found.items() if one.shared}
    yield _gauge("calls_under_way", "Permits in use", [(name, one.slots_used or 0) for name, one in shared.items()])
    yield _gauge(
        "window_calls", "Calls that ended in its window", [(name, one.window.calls) for name, one in shared.items()]
    )
    yield _gauge(
        "window_failures", "Failed calls in its window", [(name, one.window.failures) for name, one in shared.items()]
    )
    p95s = [(name, one.window.p95_ms / 1000) for name, one in shared.items() if one.window.p95_ms is not None]
    yield _gauge("window_p95_seconds", "What 95 of 100 calls took at most", p95s)
    lost = GaugeMetricFamily("meshline_limits_shared", "Whether limits are shared by all workers (0: Valkey is lost)")
    lost.add_metric([], float(len(shared) == len(found)))
    yield lost


def _gauge(name: str, said: str, values: list[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"meshline_system_{name}", said, labels=["system"])
    for system, value in values:
        family.add_metric([system], value)
    return family
