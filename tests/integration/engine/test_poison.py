"""A record that kills its worker is carried alone after the first death, and parked with a ticket after the third; its batch mates go on unblamed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from exceptions.models import Ticket
from syncflows.engine import batch, claims
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import LineageFact, Run
from tests.factories import people, records
from tests.integration.engine import deals

pytestmark = pytest.mark.django_db


def die(lease: claims.Lease) -> None:
    """The worker is gone: nobody extends its lease any more."""
    Run.objects.filter(pk__in=lease.run_ids).update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.give_back_expired()


def test_after_a_death_each_of_the_batch_is_carried_alone_and_first() -> None:
    poison, mate = (records.run(status=RunStatus.PENDING) for _ in range(2))
    die(claims.claim(limit=10))
    later = records.run(status=RunStatus.PENDING)
    assert set(Run.objects.values_list("deaths", flat=True)) == {0, 1}
    taken = [claims.claim(limit=10).run_ids for _ in range(3)]
    assert taken == [(poison.pk,), (mate.pk,), (later.pk,)]


def test_the_third_death_parks_the_run_with_a_ticket(transactional_db: None) -> None:
    people.team("triage", people.alice())
    poison = records.run(status=RunStatus.PENDING, payload={"huge": "x" * 1000})
    for _ in range(3):
        assert Run.objects.get().status == RunStatus.PENDING
        die(claims.claim(limit=10))
    poison.refresh_from_db()
    assert (poison.status, poison.lease_owner) == (RunStatus.ERRORED, "")
    assert "3 workers in a row died" in poison.status_reason
    ticket = Ticket.objects.get(run=poison)
    assert (ticket.exception_class, ticket.reason, ticket.severity) == ("internal", "worker_died", "hard")
    facts = list(LineageFact.objects.filter(run_id=poison.pk).order_by("pk").values_list("kind", flat=True))
    assert facts == ["retry", "retry", "errored", "ticket"]
    assert claims.claim(limit=10).run_ids == ()


def test_who_comes_to_rest_is_no_suspect_any_more(erp: str, customer_id: str) -> None:
    run = deals.run_of(*deals.send(1, customer_id=customer_id))
    for _ in range(2):
        die(claims.claim(limit=10))
    deals.fault(erp, "status", path_prefix="/erp/orders", method="POST", count=1, params={"status": 429})
    batch.work()
    run.refresh_from_db()
    assert (run.status, run.deaths) == (RunStatus.RETRYING, 0)
    deals.carry(until=RunStatus.COMPLETED, run=run)
