"""kill -9 a real worker, again and again, while it writes 2,000 orders to an ERP that is not idempotent: 2,000 orders, none twice, none lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from syncflows.engine.enums import RunStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.sandbox.server import SandboxServer
from tests import polling
from tests.integration.engine import deals

ROOT = Path(__file__).resolve().parents[3]
EVENTS = 2000
KILLS = 5


@contextmanager
def worker(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that drains, as a worker does; killed with its threads when the block ends."""
    environment = deals.environment(MESHLINE_LEASE_S="2", MESHLINE_LOG_LEVEL="WARNING")
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "drain", "--timeout-s", "240"],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def done() -> int:
    return Run.objects.filter(status=RunStatus.COMPLETED).count()


@pytest.mark.slow
def test_killed_workers_lose_and_double_nothing(sandbox: SandboxServer, erp: str, tmp_path: Path) -> None:
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    draw = random.Random(seed)
    deals.define(erp, read_s=0.4, settle_s=1.5, attempts=30)
    customer_id = deals.customer(erp)
    for start in range(0, EVENTS, 500):
        deals.send(*range(start, start + 500), customer_id=customer_id)
    httpx.post(f"{erp}/_control/faults", json={"seed": seed}, trust_env=False)
    deals.fault(
        erp, "timeout_after_commit", path_prefix="/erp/orders", method="POST", probability=0.005, params={"hang_s": 2}
    )
    deals.fault(erp, "cut_before_commit", path_prefix="/erp/orders", method="POST", probability=0.003)
    log = tmp_path / "worker.log"

    for kill in range(KILLS):
        goal = done() + draw.randrange(20, EVENTS // (KILLS + 2))
        with worker(log) as process:
            polling.until(
                lambda goal=goal: done() >= goal or process.poll() is not None,
                timeout_s=90,
                what=lambda: log.read_text()[-2000:],
                every_s=0.02,
            )
            assert process.poll() is None, f"the worker ended by itself before kill {kill}: {log.read_text()[-2000:]}"
    with worker(log) as process:
        polling.until(
            lambda: process.poll() is not None,
            timeout_s=200,
            what=lambda: f"{done()} done; {log.read_text()[-2000:]}",
            every_s=0.2,
        )

    _every_order_once(erp)


def _every_order_once(erp: str) -> None:
    books = deals.ledger(erp)
    assert (books["count"], books["duplicates"]) == (EVENTS, [])
    assert books["sum"] == {"USD": f"{EVENTS * 100}.00"}
    assert {order["external_id"] for order in deals.orders(erp)} == {f"D{number}" for number in range(EVENTS)}
    assert done() == EVENTS
    unexplained = set(Run.objects.values_list("id", flat=True)) - set(
        LineageFact.objects.filter(kind="completed").values_list("run_id", flat=True)
    )
    assert unexplained == set()
