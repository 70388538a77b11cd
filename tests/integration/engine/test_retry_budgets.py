"""Retries end by attempts, by time and by the flow's target; steps narrow the policy; what comes next is shown where the run is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from exceptions.models import Ticket
from syncflows.engine import budgets, trace
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.governance import catalog
from tests.factories import people
from tests.integration.engine import deals

POLICY = "retry: {base_s: 0.1, factor: 2, cap_s: 1, max_attempts: @ATTEMPTS@}"


def failing(erp: str, *, status: int = 503) -> None:
    deals.fault(erp, "status", path_prefix="/erp/orders", method="POST", count=100, params={"status": status})


def define(monkeypatch: pytest.MonkeyPatch, erp: str, *changes: tuple[str, str], **values: int) -> None:
    text = deals.DEFINITIONS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    monkeypatch.setattr(deals, "DEFINITIONS", text)
    deals.define(erp, **values)


def failed_run(customer_id: str) -> Run:
    return deals.carry(until=RunStatus.FAILED, run=deals.run_of(*deals.send(1, customer_id=customer_id)))


def test_time_since_the_first_failure_is_a_budget(erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    define(
        monkeypatch,
        erp,
        (POLICY, "retry: {formula: constant, base_s: 0.2, jitter: none, max_attempts: 100, give_up_after_s: 0.5}"),
    )
    failing(erp, status=429)
    run = failed_run(customer_id)
    ticket = Ticket.objects.get(run=run)
    assert (ticket.exception_class, ticket.reason) == ("transient", "retry_time_exhausted")
    assert 2 <= run.tries <= 4
    assert run.first_failed_at is not None


def test_a_ticket_is_open_before_the_flow_is_late(erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries would go on for hours; the flow must deliver within the hour, and nobody hears of it too late."""
    define(
        monkeypatch, erp, (POLICY, "retry: {formula: constant, base_s: 3599, cap_s: 3600, jitter: none}"),
        ("metadata: {name: deals}\nspec:\n", "metadata: {name: deals}\nspec:\n  deliver_within: 1h\n"),
    )  # fmt: skip
    failing(erp, status=429)
    run = failed_run(customer_id)
    ticket = Ticket.objects.get(run=run)
    assert ticket.reason == "sla_would_be_missed"
    assert ticket.opened_at < run.event.received_at + timedelta(hours=1)


def test_a_step_narrows_the_policy_of_its_system(erp: str, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    define(
        monkeypatch,
        erp,
        ("      on_change: @ON_CHANGE@\n", "      on_change: @ON_CHANGE@\n      retry: {max_attempts: 2}\n"),
    )
    failing(erp, status=429)
    run = failed_run(customer_id)
    assert (run.tries, Ticket.objects.get(run=run).reason) == (2, "retries_exhausted")


def test_what_comes_next_is_told_on_page_api_and_trace(erp: str, customer_id: str, client: Client) -> None:
    deals.fault(
        erp, "status", path_prefix="/erp/orders", method="POST", count=9, params={"status": 429, "retry_after": 7200}
    )
    run = deals.carry(until=RunStatus.RETRYING, run=deals.run_of(*deals.send(1, customer_id=customer_id)))
    wait = run.due_at - timezone.now()
    assert timedelta(minutes=118) < wait <= timedelta(hours=2)
    assert "try 2 of 6, as the system asked (Retry-After 2 h), unusually long: more than 1 h" in run.status_reason

    found = budgets.outlook(run, budgets.next_of(run.steps.all()), catalog.current())
    assert found is not None
    assert (found.tries, found.tries_left, found.next_at) == (1, 5, run.due_at)
    client.force_login(people.alice())
    page = client.get(f"/trace/{run.public_id}/").content.decode()
    assert "1 of 6, 5 left" in page
    assert "Retry-After" in page
    told = trace.as_json(trace.of_run(run))["runs"][0]
    assert (told["tries"], told["next_attempt_at"]) == (1, run.due_at.isoformat())
    fact = LineageFact.objects.filter(run_id=run.pk, kind="retry").get()
    assert "try 2 of 6" in fact.summary
