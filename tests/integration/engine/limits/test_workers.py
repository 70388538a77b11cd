"""Real worker processes against one ERP that counts: together they keep to the limits, whatever happens to one of them or to Valkey."""

from __future__ import annotations

from pathlib import Path

import pytest

from ownership.enums import Circuit, SystemState
from ownership.models import System
from syncflows.engine.enums import CircuitEvent, RunStatus
from syncflows.engine.models import CircuitChange, Run
from tests import polling
from tests.integration.engine import deals
from tests.integration.engine.limits.conftest import OwnValkey, define, kill, workers
from tests.servers.counting import Erp


def done() -> int:
    return Run.objects.filter(status=RunStatus.COMPLETED).count()


def all_done(number: int, log: Path, *, timeout_s: float = 60) -> None:
    def said() -> str:
        return (
            f"{done()} done; {list(Run.objects.values_list('status', 'status_reason')[:3])}; {log.read_text()[-1500:]}"
        )

    polling.until(lambda: done() == number, timeout_s=timeout_s, what=said, every_s=0.05)


def every_order_once(erp: Erp, number: int) -> None:
    assert {reference: len(numbers) for reference, numbers in erp.orders.items()} == {
        f"D{place}": 1 for place in range(number)
    }


def test_rate_and_concurrency_hold_over_all_workers_though_one_is_killed(erp: Erp, tmp_path: Path) -> None:
    erp.takes_s = 0.12
    define(erp, "concurrency: 3\nrate_limit: {per_second: 20, burst: 4}", settle_s=0.3)
    deals.send(*range(90), customer_id="C1")
    log = tmp_path / "workers.log"

    with workers(3, log) as processes:
        polling.until(lambda: done() >= 10, timeout_s=40, what=lambda: log.read_text()[-1500:], every_s=0.02)
        kill(processes[0])  # while it holds slots
        all_done(90, log)

    every_order_once(erp, 90)
    assert erp.most_at_once <= 3
    for seconds in (0.5, 1, 3):  # a tenth of a second for the way from the turn to the ERP
        assert erp.most_within(seconds) <= 4 + 20 * (seconds + 0.1) + 1


def test_half_open_lets_one_item_through_however_many_workers_race(erp: Erp, tmp_path: Path) -> None:
    define(erp, "breaker: {minimum_calls: 5, failure_rate: 0.5, consecutive_outages: 3, open_s: 0.4, open_s_cap: 0.4}")
    deals.send(*range(40), customer_id="C1")
    erp.says = 500
    log = tmp_path / "workers.log"

    with workers(4, log):
        polling.until(_is_open, timeout_s=40, what=lambda: log.read_text()[-1500:], every_s=0.02)
        polling.until(lambda: erp.under_way == 0 and tries() >= 2, timeout_s=20, what=lambda: str(tries()))
        calls, tried = len(erp.arrived), tries()
        polling.until(lambda: tries() >= tried + 3, timeout_s=30, what=lambda: f"{tries()} tries")
        polling.until(lambda: len(erp.arrived) - calls >= 3, timeout_s=5, what=lambda: "the last try's call")
        made, taken = len(erp.arrived) - calls, tries() - tried
        assert abs(made - taken) <= 1  # one may be between its token and its call
        erp.says = None
        all_done(40, log)

    every_order_once(erp, 40)
    told = set(CircuitChange.objects.filter(system="erp").values_list("event", flat=True))
    assert told == {CircuitEvent.OPENED, CircuitEvent.TRIED, CircuitEvent.REOPENED, CircuitEvent.CLOSED}
    assert System.objects.get(name="erp").circuit == Circuit.CLOSED


def test_valkey_killed_flushed_and_started_again_costs_no_order(
    erp: Erp, own_valkey: OwnValkey, tmp_path: Path
) -> None:
    erp.takes_s = 0.02
    define(erp, "concurrency: 4\nrate_limit: {per_second: 40, burst: 4}", settle_s=0.3)
    deals.send(*range(240), customer_id="C1")
    log = tmp_path / "workers.log"

    with workers(2, log, REDIS_URL=own_valkey.url, MESHLINE_LIMITS_DIVIDED_BY="2"):
        polling.until(lambda: done() >= 20, timeout_s=40, what=lambda: log.read_text()[-1500:], every_s=0.02)
        own_valkey.kill()
        at = done()
        polling.until(lambda: done() >= at + 15, timeout_s=40, what=lambda: f"{done()}: {log.read_text()[-1500:]}")
        assert "each process keeps to its part" in log.read_text()
        own_valkey.start()
        polling.until(lambda: "shared by all workers again" in log.read_text(), timeout_s=20, what=log.read_text)
        own_valkey.client().flushall()
        all_done(240, log)

    every_order_once(erp, 240)
    assert (
        erp.most_at_once <= 4 + 2
    )  # while they learn of the loss and of the return one by one, one's own part may stand beside the shared slots
    assert erp.most_within(1) <= 40 * 1.2 + 3 * 4  # a burst more for the loss, and one for the flush


@pytest.mark.parametrize("said", [(429, ("Retry-After: 2",)), (503, ("Retry-After: 2",))])
def test_asked_to_wait_pauses_the_system_for_all_workers(
    erp: Erp, tmp_path: Path, said: tuple[int, tuple[str, ...]]
) -> None:
    define(erp, "concurrency: 2\nbreaker: {minimum_calls: 1000}")
    deals.send(*range(20), customer_id="C1")
    erp.says, erp.headers = said
    log = tmp_path / "workers.log"

    with workers(2, log):
        polling.until(lambda: len(erp.arrived) >= 1, timeout_s=40, what=log.read_text, every_s=0.005)
        erp.says, erp.headers = None, ()
        all_done(20, log)

    told = [at for at in erp.arrived if at - erp.arrived[0] < 1.9]
    assert len(told) <= 2 * 2  # what was under way when it asked
    every_order_once(erp, 20)
    row = System.objects.get(name="erp")
    assert (row.circuit, row.state) == (Circuit.CLOSED, SystemState.UP)
    change = CircuitChange.objects.filter(system="erp", event=CircuitEvent.ASKED_TO_WAIT).earliest("id")
    assert change.numbers["wait_s"] == 2


def tries() -> int:
    return CircuitChange.objects.filter(system="erp", event=CircuitEvent.TRIED).count()


def _is_open() -> bool:
    return System.objects.filter(name="erp").exclude(circuit=Circuit.CLOSED).exists()
