"""What /metrics tells. Each part registers a reader at start; readers run at each scrape, and one that fails costs only its own numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)
Reader = Callable[[], Iterable[Metric]]


class Readers(Collector):
    """All registered readers as one collector."""

    def __init__(self) -> None:
        self.by_part: dict[str, Reader] = {}

    def collect(self) -> Iterator[Metric]:
        failed = GaugeMetricFamily(
            "meshline_scrape_failed", "Whether a part's numbers could not be read at this scrape", labels=["part"]
        )
        for part, read in self.by_part.items():
            try:
                found = list(read())
            except Exception as error:  # noqa: BLE001 - a broken part is reported as such; the others still count
                log.warning("metrics of %s not read: %s", part, error)
                found = []
                failed.add_metric([part], 1)
            else:
                failed.add_metric([part], 0)
            yield from found
        yield failed


_readers = Readers()
REGISTRY = CollectorRegistry()
REGISTRY.register(_readers)


def register(part: str, read: Reader) -> None:
    """Name the reader of a part's numbers. Idempotent: on the part."""
    _readers.by_part[part] = read
