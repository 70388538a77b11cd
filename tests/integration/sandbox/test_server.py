"""The sandbox as a process: what it answered survives kill -9, SIGTERM ends it with 0, a second one is refused."""

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.sandbox.conftest import SECRET, client_for, make_order
from tests.integration.sandbox.receivers import Receiver, wait_until

CHECKOUT = Path(__file__).resolve().parents[3]


def start(store: Path) -> tuple["subprocess.Popen[str]", str]:
    command = [sys.executable, "-m", "syncflows.sandbox", "--port", "0", "--store", str(store)]
    process = subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line
    return process, found[0]


def post_orders(url: str, customer_id: str, worker: int, answered: list[str]) -> None:
    with client_for(f"{url}/erp", "erp-demo-token") as erp:
        for number in range(100_000):
            try:
                made = erp.post("/orders", json=make_order(customer_id, f"{worker}-{number}"))
            except httpx.HTTPError:
                return
            answered.append(made.json()["external_id"])


def test_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    store, answered = tmp_path / "store.sqlite", list[str]()
    process, url = start(store)
    with client_for(f"{url}/erp", "erp-demo-token") as erp:
        customer = erp.post("/customers", json={"name": "Amberley Foundry"}).json()["id"]
    workers = [threading.Thread(target=post_orders, args=(url, customer, n, answered)) for n in range(4)]
    for worker in workers:
        worker.start()
    wait_until(lambda: len(answered) >= 150)
    process.kill()
    for worker in workers:
        worker.join(10)
    process.communicate()
    again, url = start(store)
    try:
        text = httpx.get(f"{url}/_control/ledger?entity=orders&full=1", trust_env=False).text
        kept = set(re.findall(r'"external_id": "([^"]+)"', text))
        assert set(answered) <= kept
        assert len(kept - set(answered)) <= len(workers)
    finally:
        again.kill()
        again.communicate()


def test_kill_keeps_webhooks_faults_and_settings(tmp_path: Path, receiver: Receiver) -> None:
    process, url = start(tmp_path / "store.sqlite")
    receiver.answers = [503] * 2
    with client_for(url, "crm-demo-token") as client:
        client.post("/_control/settings", json={"erp": {"idempotent": True}, "webhooks": {"retry_base_s": 1.0}})
        client.post("/_control/faults", json={"system": "erp", "kind": "expire_credential"})
        client.post("/crm/webhooks", json={"url": receiver.url, "secret": SECRET}).raise_for_status()
        client.post("/crm/accounts", json={"name": "Amberley Foundry"}).raise_for_status()
    receiver.wait_for(1)
    receiver.answers = []
    process.kill()
    process.communicate()
    again, url = start(tmp_path / "store.sqlite")
    try:
        assert receiver.wait_for(2)[1].headers["webhook-id"] == receiver.received[0].headers["webhook-id"]
        assert httpx.get(f"{url}/_control/settings", trust_env=False).json()["erp"]["idempotent"] is True
        with client_for(url, "erp-demo-token") as client:
            assert client.get("/erp/orders").status_code == 401
    finally:
        again.kill()
        again.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly_even_while_a_request_hangs(number: signal.Signals, tmp_path: Path) -> None:
    process, url = start(tmp_path / "store.sqlite")
    fault = {"system": "erp", "kind": "timeout_after_commit", "params": {"hang_s": 600}}
    httpx.post(f"{url}/_control/faults", json=fault, trust_env=False).raise_for_status()
    with pytest.raises(httpx.ReadTimeout), client_for(url, "erp-demo-token") as client:
        client.get("/erp/orders", timeout=0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in errors) == (0, False), errors


def test_second_sandbox_on_one_store_is_refused(server: Any, tmp_path: Path) -> None:
    process, _ = start(tmp_path / "store.sqlite")
    try:
        command = [sys.executable, "-m", "syncflows.sandbox", "--port", "0", "--store", str(tmp_path / "store.sqlite")]
        second = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=20, check=False)
        assert (second.returncode, "Another sandbox is using" in second.stderr) == (1, True)
        taken = [*command[:-3], server.url.rpartition(":")[2], "--store", str(tmp_path / "other.sqlite")]
        third = subprocess.run(taken, cwd=CHECKOUT, capture_output=True, text=True, timeout=20, check=False)
        assert (third.returncode, "Cannot listen on" in third.stderr) == (1, True)
    finally:
        process.kill()
        process.communicate()


def test_manage_command_serves_and_stops(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "sandbox", "--port", "0", "--store", str(tmp_path / "store.sqlite")]
    process = subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "http://127.0.0.1:" in process.stderr.readline()
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
