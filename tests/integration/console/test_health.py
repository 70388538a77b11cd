"""Probes and numbers."""

import pytest
from django.test import Client
from pytest_django import Settings

from meshline.console import readiness
from meshline.kernel import counters, metrics, workers
from ownership.enums import Circuit
from ownership.models import System
from syncflows.engine.limits import meter, policy
from syncflows.engine.limits.meter import Seen
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from tests.integration.engine import deals


@pytest.fixture(autouse=True)
def _clean_counters() -> None:
    counters.client().delete(counters.KEY, workers.KEY)


def test_alive_asks_nobody(client: Client) -> None:
    assert client.get("/healthz").json() == {"alive": True}


@pytest.mark.django_db
def test_ready_once_a_worker_has_reported(client: Client) -> None:
    before = client.get("/readyz")
    assert before.status_code == 503
    assert [name for name, check in before.json()["checks"].items() if not check["ok"]] == ["workers"]
    workers.report("celery@somewhere")
    after = client.get("/readyz")
    assert (after.status_code, after.json()["ready"]) == (200, True)
    workers.forget("celery@somewhere")
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_ready_says_that_the_broker_is_down(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    counters.client.cache_clear()
    try:
        found = readiness.checks()
    finally:
        counters.client.cache_clear()
    assert (found["database"].ok, found["broker"].ok, found["workers"].ok) == (True, False, False)
    assert "REDIS_URL" in found["broker"].detail
    assert found["limits"].ok
    assert "one part in 4 of every system's limits" in found["limits"].detail


@pytest.mark.django_db
def test_metrics_tell_counters_and_rows(client: Client) -> None:
    counters._add({"events:accepted": 3, "webhooks_refused:crm:bad_signature": 2})
    text = client.get("/metrics").content.decode()
    assert 'meshline_events_total{outcome="accepted"} 3.0' in text
    assert 'meshline_events_total{outcome="duplicate"} 0.0' in text
    assert 'meshline_webhooks_refused_total{reason="bad_signature",system="crm"} 2.0' in text
    assert 'meshline_runs{status="completed"} 0.0' in text
    assert "meshline_due_lag_seconds 0.0" in text
    assert 'meshline_scrape_failed{part="tickets"} 0.0' in text


@pytest.mark.django_db
def test_metrics_survive_a_part_that_fails(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[object]:
        raise RuntimeError("no")

    monkeypatch.setitem(metrics._readers.by_part, "runs", broken)
    text = client.get("/metrics").content.decode()
    assert 'meshline_scrape_failed{part="runs"} 1.0' in text
    assert "meshline_events_total" in text


@pytest.mark.django_db
def test_metrics_tell_circuits_and_limits(client: Client, settings: Settings) -> None:
    deals.define("http://127.0.0.1:9")
    System.objects.filter(name="erp").update(circuit=Circuit.HALF_OPEN)
    rules = policy.of(catalog.current().get(Kind.SYSTEM, "erp"))
    meter.heard([Seen(None, rules, {"calls": 10, "failures": 4, "t20": 10})])
    text = client.get("/metrics").content.decode()
    assert 'meshline_system_circuit_open{system="erp"} 0.5' in text
    assert 'meshline_system_window_failures{system="erp"} 4.0' in text
    assert 'meshline_system_window_p95_seconds{system="erp"} 0.032' in text
    assert 'meshline_system_calls_allowed_at_once{system="erp"} 8.0' in text
    assert "meshline_limits_shared 1.0" in text
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    text = client.get("/metrics").content.decode()
    assert 'meshline_system_circuit_open{system="erp"} 0.5' in text
    assert 'meshline_system_window_failures{system="erp"}' not in text
    assert "meshline_limits_shared 0.0" in text
