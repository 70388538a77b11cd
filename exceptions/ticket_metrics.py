"""Open tickets in numbers, for /metrics."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from exceptions.enums import LIVE
from exceptions.models import Ticket


def open_tickets() -> Iterator[Metric]:
    """Open tickets by class."""
    found = GaugeMetricFamily("meshline_open_tickets", "Open tickets by class", labels=["class"])
    for row in Ticket.objects.filter(status__in=LIVE).values("exception_class").annotate(number=Count("pk")).order_by():
        found.add_metric([row["exception_class"]], row["number"])
    yield found
