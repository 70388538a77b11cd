"""An ERP that counts, definitions with limits, worker processes, and a Valkey of a test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meshline.embedded import valkey
from meshline.kernel import actors, counters
from syncflows.engine import connections
from syncflows.governance import apply, files
from tests import polling
from tests.integration.engine import deals
from tests.servers.counting import Erp, counting

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def erp(transactional_db: None) -> Iterator[Erp]:
    with counting() as running:
        yield running
        connections.close_all()


def define(erp: Erp, limits: str, *, settle_s: float = 0.1, read_s: float = 2) -> None:
    """The deals definitions against this ERP, with these lines in its System."""
    text = deals.DEFINITIONS.replace("@URL@/erp", erp.url).replace("@READ_S@", str(read_s))
    text = text.replace("@SETTLE_S@", str(settle_s)).replace("@ATTEMPTS@", "50").replace("@ON_CHANGE@", "duplicate")
    lines = "".join(f"  {line}\n" for line in limits.strip().splitlines())
    text = text.replace("  operations:\n    create_order:", f"{lines}  operations:\n    create_order:", 1)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deals.yaml").write_text(text)
        summary = apply.apply(files.load(Path(folder)), by=actors.system("tests"))
    assert not summary.problems, summary.problems


@contextmanager
def workers(number: int, log: Path, **environment: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of their own that drain, as workers do; killed with the block."""
    values = deals.environment(MESHLINE_LEASE_S="3", MESHLINE_LOG_LEVEL="WARNING", **environment)
    with log.open("ab") as stream:
        started = [
            subprocess.Popen(
                [sys.executable, "manage.py", "drain", "--timeout-s", "120"], cwd=ROOT, env=values, stdout=stream, stderr=stream, start_new_session=True,
            )
            for _ in range(number)
        ]  # fmt: skip
        try:
            yield started
        finally:
            for process in started:
                kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


class OwnValkey:
    """A server on a socket of its own, to be killed and started again."""

    def __init__(self, folder: str) -> None:
        self.socket = f"{folder}/valkey.sock"
        self.url = f"unix://{self.socket}?db=0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        Path(self.socket).unlink(missing_ok=True)
        command = [
            str(valkey._binary()),
            "--port",
            "0",
            "--unixsocket",
            self.socket,
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        polling.until(self._answers, timeout_s=10, what=lambda: "own Valkey")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            self.process = None

    def client(self) -> Any:
        import redis

        return redis.Redis.from_url(self.url, socket_timeout=1)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except Exception:  # noqa: BLE001 - not yet
            return False


@pytest.fixture
def own_valkey(settings: Any) -> Iterator[OwnValkey]:
    with tempfile.TemporaryDirectory(prefix="mlv") as folder:
        server = OwnValkey(folder)
        server.start()
        settings.REDIS_URL = server.url
        counters.client.cache_clear()
        yield server
        server.kill()
        counters.client.cache_clear()


@pytest.fixture
def customer() -> str:
    return "C1"
