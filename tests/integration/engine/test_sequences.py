"""Events of a record in the order that their contract declares: whole numbers as numbers, times as moments; whatever the database's collation."""

from __future__ import annotations

import pytest

from syncflows.engine import ordering, runs
from syncflows.engine.enums import EventStatus, RunStatus
from tests.factories import records
from tests.integration.engine import deals
from tests.integration.engine.test_retry_budgets import define

SEQUENCE = "  sequence: default(payload, 'changed', '')\n"


@pytest.mark.parametrize(
    ("kind", "newer", "older"),
    [
        ("integer", "10", "9"),
        ("integer", "1000000", "999999"),
        ("time", "2026-11-20T08:00:00Z", "2026-11-20T09:30:00+02:00"),
        ("time", "2026-11-20T08:00:00.5Z", "2026-11-20T08:00:00Z"),
        ("text", "b", "a"),
    ],
)
def test_the_older_one_that_arrives_late_changes_nothing(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch, kind: str, newer: str, older: str
) -> None:
    define(monkeypatch, erp, (SEQUENCE, f"{SEQUENCE}  sequence_type: {kind}\n"))
    first = deals.run_of(*deals.send(1, customer_id=customer_id, changed=newer))
    deals.carry(until=RunStatus.COMPLETED, run=first)
    late = deals.run_of(*deals.send(1, customer_id=customer_id, changed=older, notes="old"))
    deals.carry(until=RunStatus.SUPERSEDED, run=late)
    assert first.public_id in late.status_reason
    assert len(deals.orders(erp)) == 1


def test_a_sequence_that_is_not_of_its_kind_is_quarantined(
    erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(monkeypatch, erp, (SEQUENCE, f"{SEQUENCE}  sequence_type: integer\n"))
    (event,) = deals.send(1, customer_id=customer_id, changed="v10")
    assert event.status == EventStatus.QUARANTINED
    assert "'v10' is not a whole number" in event.problem


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("older", "newer"), [("B", "a"), ("2026-01-01T10:00:00", "2026-01-01T10:00:00.5"), ("a-c", "ab")]
)
def test_newer_run_compares_byte_by_byte_as_claims_do(older: str, newer: str) -> None:
    """Where the database's own collation would say otherwise."""
    made = [
        records.run(event=records.event(lane="order:1"), lane="order:1", sequence=sequence, status=RunStatus.COMPLETED)
        for sequence in (newer, older)
    ]
    assert ordering.newer_run(made[1]) == made[0]
    assert ordering.newer_run(made[0]) is None
    assert runs.going_back(made[1], made[0]).code == "would_go_back_in_time"
