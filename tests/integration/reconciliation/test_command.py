"""`manage.py reconcile` as scripts call it, and the tasks as beat rings them."""

from __future__ import annotations

import json
from io import StringIO

import httpx
import pytest
from django.core.management import CommandError, call_command

from meshline.celery import app
from reconciliation import tasks
from reconciliation.enums import ReconciliationStatus
from reconciliation.models import ReconciliationRun
from tests.factories import comparisons
from tests.factories.comparisons import deliver
from tests.integration.reconciliation.test_runs import patch_total

NAMES = ["compared", "matched", "missing_in_target", "missing_in_source", "differs", "duplicate", "tickets"]


def reconcile(*arguments: str) -> tuple[dict[str, int], str]:
    out, told = StringIO(), StringIO()
    call_command("reconcile", *arguments, stdout=out, stderr=told)
    return json.loads(out.getvalue().splitlines()[-1]), told.getvalue()


def test_reconcile_prints_its_counts_last_and_progress_beside(customer_id, erp):
    deliver("1", "2", customer_id=customer_id)
    patch_total(erp, "opp_1", "90.00")
    found, told = reconcile("deals", "--window-days", "3650")
    assert list(found) == NAMES
    assert found == {**dict.fromkeys(NAMES, 0), "compared": 2, "matched": 1, "differs": 1, "tickets": 1}
    assert "reading our records and erp" in told
    assert "USD: ours 200.00, theirs 190.00" in told


def test_reconcile_refuses_an_unknown_flow_a_bad_window_and_a_flow_without_rule(url):
    with pytest.raises(CommandError, match="There are: deals"):
        reconcile("nonsense")
    with pytest.raises(CommandError, match="Give 1 to"):
        reconcile("deals", "--window-days", "-1")
    comparisons.define(url, rule="")
    with pytest.raises(CommandError, match=r"Add spec\.reconcile"):
        reconcile("deals")


def test_reconcile_fails_where_the_target_is_down(url):
    fault = {"system": "erp", "kind": "status", "params": {"status": 503}}
    httpx.post(f"{url}/_control/faults", json=fault, trust_env=False).raise_for_status()
    with pytest.raises(CommandError, match="nothing was judged"):
        reconcile("deals")


def test_nightly_is_what_beat_rings_and_compares(customer_id):
    assert app.conf.beat_schedule["reconcile-nightly"]["task"] == tasks.nightly.name
    tasks.nightly()
    assert ReconciliationRun.objects.get().status == ReconciliationStatus.COMPLETED
