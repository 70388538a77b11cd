"""A system over the API: its circuit and limits in numbers, what happened to it, and a person's word."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from meshline.audit.models import AuditEvent
from ownership.models import System
from syncflows.engine.enums import RunStatus
from syncflows.engine.limits import meter, policy, waking
from syncflows.engine.limits.meter import Ask, Seen
from syncflows.engine.models import CircuitChange
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from tests.factories import records
from tests.functional.api.conftest import Api
from tests.integration.engine import deals


@pytest.fixture
def rules(transactional_db: None) -> policy.Policy:
    deals.define("http://127.0.0.1:9")
    return policy.of(catalog.current().get(Kind.SYSTEM, "erp"))


def test_system_shows_its_numbers_and_who_waits(api: Api, rules: policy.Policy) -> None:
    later = timezone.now() + timedelta(hours=1)
    for amount, waits in (("100.10", waking.waits_for("erp")), ("50", waking.waits_for_turn("erp"))):
        records.run(status=RunStatus.RETRYING, due_at=later, waits_for=waits, amount=Decimal(amount), currency="EUR")
    [grant] = meter.admit([Ask(rules, 8, 3, [()] * 3)])
    meter.heard([Seen(None, rules, {"calls": 10, "failures": 4, "t20": 10})])

    found = api("flows:read").get("systems/erp/").json()

    limits = found["limits"]
    assert (found["circuit"], limits["shared"], limits["concurrency"], limits["slots_used"]) == ("closed", True, 8, 3)
    assert (limits["window"]["calls"], limits["window"]["failure_rate"], limits["window"]["p95_ms"]) == (10, 0.4, 32.0)
    assert limits["waiting_runs"] == 2
    assert limits["waiting_amounts"] == [{"amount": "150.10", "currency": "EUR"}]
    meter.heard([Seen(grant, rules, {})])


def test_acts_take_a_reason_and_are_kept(api: Api, rules: policy.Policy) -> None:
    client = api("systems:write", "flows:read")
    assert client.post("systems/erp/acts/", json={"act": "open"}).status_code == 422
    opened = client.post("systems/erp/acts/", json={"act": "open", "reason": "they asked us to", "for_s": 600}).json()
    assert (opened["state"], opened["circuit"], opened["state_reason"][:16]) == ("down", "open", "they asked us to")
    closed = client.post("systems/erp/acts/", json={"act": "close", "reason": "well again"}).json()
    assert (closed["state"], closed["circuit"], closed["retry_at"]) == ("up", "closed", None)
    rows = client.get("systems/erp/circuit/").json()["results"]
    assert [(row["event"], row["reason"]) for row in rows] == [
        ("closed", "well again"),
        ("opened", "they asked us to (service desk)"),
    ]
    acts = AuditEvent.objects.filter(object_kind="system").order_by("number").values_list("act", flat=True)
    assert list(acts) == ["system.circuit_opened", "system.circuit_closed"]


def test_unknown_system_and_missing_scope_change_nothing(api: Api, rules: policy.Policy) -> None:
    assert api().post("systems/nobody/acts/", json={"act": "pause", "reason": "x"}).status_code == 404
    refused = api("flows:read").post("systems/erp/acts/", json={"act": "pause", "reason": "x"})
    assert refused.status_code == 403
    assert System.objects.get(name="erp").state == "up"
    assert not CircuitChange.objects.exists()
