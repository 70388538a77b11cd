"""A worker that dies anywhere in a compensation: whoever goes on takes back what is left, and nothing twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from syncflows.engine import batch, claims
from syncflows.engine.enums import RunStatus, StepStatus
from syncflows.engine.models import LineageFact, Run, Step
from tests import polling
from tests.integration.engine import deals
from tests.integration.engine.halves import company

ROOT = Path(__file__).resolve().parents[4]


class Killed(BaseException):
    """As a kill: nothing of ours catches it, and the transaction it meets is lost."""


@contextmanager
def dying_at(statement: int) -> Iterator[Counter[str]]:
    """The process dies at that SQL statement from now on, whatever it is."""
    seen: Counter[str] = Counter()

    def die(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen["all"] += 1
        if seen["all"] == statement:
            raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(die):
        yield seen


def test_worker_dies_at_every_statement_of_a_compensation(url: str) -> None:
    company.refuse(url, "desk", "/entitlements")
    company.define(url, settle_s=0.05)
    died = 0
    for statement in range(1, 200, 7):  # every seventh: a transaction has several
        [run] = company.win(statement)
        _until_turned(run)
        try:
            with dying_at(statement):
                while batch.work():
                    pass
        except Killed:
            died += 1
            Run.objects.filter(status=RunStatus.RUNNING).update(lease_until=timezone.now() - timedelta(seconds=1))
            claims.give_back_expired()
        company.carry(run, until=RunStatus.COMPENSATED)
        if died < (statement + 6) // 7:
            break  # it was through before it could die: every statement has had its turn

    orders, invoices = company.books(url, "erp", "orders"), company.books(url, "erp", "invoices")
    assert died > 3
    assert {row["status"] for row in orders} == {row["status"] for row in invoices} == {"cancelled"}
    assert len(orders) == len(invoices) == len({row["external_id"] for row in orders})
    assert not Step.objects.filter(undoes__isnull=False).exclude(status=StepStatus.DONE).exists()


def _until_turned(run: Run) -> None:
    """Forward, until the refused step has turned it round and nothing is taken back yet."""

    def turned() -> bool:
        batch.work()
        run.refresh_from_db()
        return run.compensation is not None

    polling.until(turned, timeout_s=10, what=lambda: run.status_reason)


@pytest.mark.slow
def test_killed_workers_take_back_every_order_once(url: str, tmp_path: Path) -> None:
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    draw, count, log = random.Random(seed), 60, tmp_path / "worker.log"
    company.define(url, settle_s=0.5, attempts=30)
    company.refuse(url, "desk", "/entitlements")
    company.fault(url, "erp", "timeout_after_commit", "/orders/", probability=0.05, params={"hang_s": 1})
    company.win(*range(count))

    for _ in range(4):
        _work_until_killed(log, goal=min(count, _ended() + draw.randrange(5, count // 6)))
    polling.until(
        lambda: _carried() and _ended() == count,
        timeout_s=90,
        what=lambda: str(Counter(Run.objects.values_list("status", flat=True))),
    )

    orders = company.books(url, "erp", "orders")
    assert Counter(row["status"] for row in orders) == {"cancelled": count}
    assert len({row["external_id"] for row in orders}) == count
    explained = set(
        LineageFact.objects.filter(kind="compensated", summary__startswith="Taken back").values_list(
            "run_id", flat=True
        )
    )
    assert explained == set(Run.objects.values_list("pk", flat=True))


def _work_until_killed(log: Path, *, goal: int) -> None:
    """A process of its own that drains, as a worker does, killed once so many runs have ended."""
    environment = deals.environment(MESHLINE_LEASE_S="2", MESHLINE_LOG_LEVEL="WARNING", MESHLINE_BATCH_SIZE="10")
    command = [sys.executable, "manage.py", "drain", "--timeout-s", "120"]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            polling.until(lambda: _ended() >= goal, timeout_s=60, what=lambda: log.read_text()[-2000:], every_s=0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def _ended() -> int:
    return Run.objects.filter(status=RunStatus.COMPENSATED).count()


def _carried() -> bool:
    claims.give_back_expired()
    batch.work()
    return True
