"""One wave's gate: never more at once than granted, none more once the system says stop, and turns for connectors that take none themselves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from syncflows.connectors import errors, pacing
from syncflows.connectors.http.throttle import Throttle
from syncflows.engine.enums import Action
from syncflows.engine.limits.gates import Gate
from syncflows.governance.schemas.systems import RateLimit


def gate(*, slots: int = 2, outages: int = 3, rate: RateLimit | None = None) -> Gate:
    return Gate(system="erp", slots=slots, outages=outages, throttle=Throttle(system="erp", paces=pacing.paces(rate)))


def job(*, takes_turns: bool = True) -> Any:
    connector = SimpleNamespace(takes_turns=takes_turns)
    return SimpleNamespace(connector=connector, step=SimpleNamespace(operation="create"), action=Action.SEND, took_s=None)  # fmt: skip


def call(found: Gate, error: Exception | None = None) -> str:
    """The code of what came of it."""
    try:
        with found.turn(job()):
            if error:
                raise error
    except errors.ConnectorError as raised:
        return raised.code
    return "done"


def test_turn_lets_no_more_in_at_once_than_granted() -> None:
    found, inside, most, lock = gate(slots=3), [0], [0], threading.Lock()
    met = threading.Barrier(3)

    def work(_: int) -> None:
        with found.turn(job()):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            met.wait(5)  # three are inside together
            with lock:
                inside[0] -= 1

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(work, range(9)))
    assert most[0] == 3


def test_turn_stops_when_the_system_asks_to_wait() -> None:
    found = gate()
    assert call(found, errors.RateLimited("slow down", retry_after_s=30)) == "rate_limited"
    with pytest.raises(errors.Transient) as refused, found.turn(job()):
        pytest.fail("called though it asked us to wait")
    assert (refused.value.code, refused.value.retry_after_s) == ("not_admitted", 30)


def test_turn_stops_after_outages_in_a_row_only() -> None:
    found = gate(outages=2)
    unreachable = errors.Outage("refused")
    codes = [call(found, error) for error in (unreachable, None, unreachable, errors.Rejected("422"), unreachable)]
    assert codes == ["system_unreachable", "done", "system_unreachable", "rejected", "system_unreachable"]
    assert call(found, unreachable) == "system_unreachable"
    assert call(found) == "not_admitted"


def test_turn_stops_at_a_refused_credential_unless_others_are_answered() -> None:
    refused = errors.AuthRefused("401")
    found = gate(outages=9)
    assert [call(found, refused), call(found)] == ["authentication_refused", "not_admitted"]
    found = gate(outages=9)
    assert [call(found), call(found, refused), call(found)] == ["done", "authentication_refused", "done"]


def test_turn_measures_the_call_without_the_wait_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_taker", [lambda system, paces: 0.05])
    one = job(takes_turns=False)
    with gate(rate=RateLimit(per_second=1)).turn(one):
        pass
    assert one.took_s < 0.04
    assert pacing.waited.seconds == 0.05
