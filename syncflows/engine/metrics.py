"""The engine in numbers, read from rows at each scrape; what no row knows (duplicates, refusals) from the shared counters."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from meshline.kernel import counters
from syncflows.engine.counters import EVENTS, WEBHOOKS_REFUSED
from syncflows.engine.enums import DUE, IngestOutcome, RunStatus
from syncflows.engine.models import Run


def door() -> Iterator[Metric]:
    """What came in, since the counters began."""
    found = counters.read()
    events = CounterMetricFamily("meshline_events", "Events at the door by outcome", labels=["outcome"])
    for outcome in IngestOutcome:
        events.add_metric([outcome.value], found.get(f"{EVENTS}:{outcome.value}", 0))
    yield events
    refused = CounterMetricFamily(
        "meshline_webhooks_refused", "Webhooks refused before anything was stored", labels=["system", "reason"]
    )
    for name, number in found.items():
        kind, _, labels = name.partition(":")
        if kind == WEBHOOKS_REFUSED:
            refused.add_metric(labels.split(":", maxsplit=1), number)
    yield refused


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
