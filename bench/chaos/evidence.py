"""Gathers what the judge reads: the engine's rows and the ERP's ledger. Reads only."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal

import httpx

from bench.chaos.verdict import Attempt, Order, RunSeen, StepSeen
from exceptions.enums import LIVE
from exceptions.models import Ticket
from syncflows.engine.models import LineageFact, Run, Step, WriteAttempt

READ_S = 60


def runs() -> list[RunSeen]:
    """Every run with its lineage, steps and live tickets."""
    facts, steps, tickets = _facts(), _steps(), _live_tickets()
    return [
        RunSeen(event_id, status, tuple(sorted(facts[run] + facts[-event])), tuple(steps[run]), tickets[run])
        for run, event, event_id, status in Run.objects.values_list(
            "id", "event_id", "event__source_event_id", "status"
        ).iterator()
    ]


def orders(erp: str) -> list[Order]:
    """The ERP's own books, asked behind the connector's back; cancelled documents too."""
    answer = httpx.get(
        f"{erp}/_control/ledger", params={"entity": "orders", "full": "1"}, timeout=READ_S, trust_env=False
    )
    lines = [json.loads(line) for line in answer.raise_for_status().text.splitlines() if line.strip()]
    return [Order(line["external_id"], line["number"], Decimal(line["total"])) for line in lines]


def _facts() -> dict[int, list[tuple[int, str]]]:
    """(id, kind) by run; those of an event that has no run yet by the event's number, negative."""
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for number, run, event, kind in (
        LineageFact.objects.order_by("id").values_list("id", "run_id", "event_id", "kind").iterator()
    ):
        found[run or -(event or 0)].append((number, kind))
    return found


def _steps() -> dict[int, list[StepSeen]]:
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    columns = ("step_id", "number", "status", "intended_at", "sent_at")
    for step, number, status, intended_at, sent_at in (
        WriteAttempt.objects.order_by("step", "number").values_list(*columns).iterator()
    ):
        attempts[step].append(Attempt(number, status, sent=sent_at is not None and sent_at > intended_at))
    found: dict[int, list[StepSeen]] = defaultdict(list)
    for step, run, name, status in (
        Step.objects.order_by("index").values_list("id", "run_id", "name", "status").iterator()
    ):
        found[run].append(StepSeen(name, status, tuple(attempts[step])))
    return found


def _live_tickets() -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for run in Ticket.objects.filter(status__in=LIVE, run__isnull=False).values_list("run_id", flat=True):
        found[run] += 1
    return found
