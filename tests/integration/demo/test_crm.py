"""The sales traffic against a real sandbox."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.demo import traffic
from meshline.demo.crm import Sandbox
from syncflows.sandbox.server import SandboxServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = "http://127.0.0.1:9/ingest/crm/"  # nobody listens: deliveries are the sandbox's business


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with (
        SandboxServer(store=tmp_path / "store.sqlite") as server,
        Sandbox(url=server.url, crm_token="crm-demo-token", erp_token="erp-demo-token") as client,
    ):
        yield client


def _hooks(sandbox: Sandbox) -> list[dict[str, str]]:
    return sandbox._call("GET", "/crm/webhooks")["items"]


def test_subscribe_keeps_its_own_subscription_and_replaces_any_other(sandbox: Sandbox, tmp_path: Path) -> None:
    note = tmp_path / "note"
    sandbox.subscribe(url=HOOK, secret=SECRET, note=note)
    before = _hooks(sandbox)
    sandbox.subscribe(url=HOOK, secret=SECRET, note=note)
    assert _hooks(sandbox) == before
    assert len(before) == 1
    sandbox.subscribe(url=HOOK.replace(":9/", ":10/"), secret=SECRET, note=note)
    assert [hook["url"] for hook in _hooks(sandbox)] == [HOOK.replace(":9/", ":10/")]


def test_traffic_moves_deals_and_makes_things_go_wrong(sandbox: Sandbox, monkeypatch) -> None:
    monkeypatch.setattr(traffic, "FAULT_EVERY_S", 0)
    sandbox.seed()
    acting = traffic.Traffic(sandbox, rng=random.Random(4))
    before = len(sandbox._list("/crm/opportunities"))
    won_before = len(sandbox._list("/crm/opportunities", stage="Won"))
    for _ in range(60):
        acting.act()
    assert len(sandbox._list("/crm/opportunities")) > before
    assert len(sandbox._list("/crm/opportunities", stage="Won")) > won_before
    assert sandbox._call("GET", "/_control/faults")["items"]


def test_run_ends_when_told(sandbox: Sandbox) -> None:
    sandbox.seed()
    stopping = threading.Event()
    stopping.set()
    traffic.run(sandbox, stopping=stopping, seed=1)
