"""The sandbox's ERP in a process of its own, on a free port, with a store that goes with the run."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.databases import ROOT
from bench.errors import BenchError

READY_S = 20
STOP_S = 10


@contextmanager
def sandbox(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Its address. Raises BenchError when it does not come up."""
    port, log = _free_port(), folder / "erp.log"
    command = [sys.executable, "-m", "syncflows.sandbox", "--port", str(port), "--store", str(folder / "erp.sqlite")]
    with log.open("ab") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=stream)
        try:
            url = f"http://127.0.0.1:{port}"
            _await(process, url, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"{url}/_control/faults", timeout=1, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise BenchError(f"The sandbox's ERP did not come up: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
