"""`manage.py demo` as a stranger meets it: a page, log-ins, real work on it within seconds, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from meshline.demo.logins import PASSWORD

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE_S = 50.0
WORKER = "--concurrency="
pytestmark = pytest.mark.xdist_group("demo")  # its sandbox looks for a free port


@contextmanager
def _database() -> Iterator[tuple[str, str]]:
    """A database of the demo's own on the server that the tests use. Yields its name and its URL."""
    name = f"demo_{uuid4().hex[:12]}"
    server = settings.DATABASE_URL
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield name, re.sub(r"(?<=[^/]/)[^/?]+(?=\?|$)", name, server, count=1)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(folder: Path, port: int, database: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "DATABASE_URL": database,
        "MESHLINE_TASK_QUEUE": f"demo-{port}",
        "DEMO_OF_TEST": str(folder),
    }
    options = ("--port", str(port), "--folder", str(folder), "--compare-after", "8")
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", *options],
        cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, stderr=(folder / "said").open("w"), text=True,
    )  # fmt: skip


def _until(what: str, found: Any, demo: subprocess.Popen[str], said: Path) -> Any:
    ends_at = time.monotonic() + DEADLINE_S
    while not (value := found()):
        assert demo.poll() is None, f"ended before {what}:\n{said.read_text()}"
        assert time.monotonic() < ends_at, f"no {what}:\n{said.read_text()}"
        time.sleep(0.1)
    return value


def _log_in(url: str, username: str) -> httpx.Client:
    client = httpx.Client(base_url=url, trust_env=False, follow_redirects=True, timeout=20)
    client.get("/login/")
    form = {"username": username, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    answer = client.post("/login/", data=form, headers={"Referer": url})
    assert (answer.status_code, answer.url.path) == (httpx.codes.OK, "/")
    return client


def _processes(folder: Path) -> dict[int, str]:
    """Command lines of what runs for this demo, by pid: each part inherits a mark in its environment."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"DEMO_OF_TEST={folder}" in _text(entry / "environ"):
                found[int(entry.name)] = _text(entry / "cmdline")
        except OSError:
            continue
    return found


def _text(path: Path) -> str:
    return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_demo_shows_real_work_survives_a_killed_worker_and_leaves_nothing_running(tmp_path: Path) -> None:
    port, said = _free_port(), tmp_path / "said"
    with _database() as (_, database):
        demo = _start(tmp_path, port, database)
        try:
            _until("page", lambda: "Meshline is ready" in said.read_text(), demo, said)
            with psycopg.connect(database, autocommit=True) as rows:
                _kill_the_worker(tmp_path)
                _until("restart", lambda: "restart 1 of 3" in said.read_text(), demo, said)
                _until("completed orders", lambda: _count(rows, COMPLETED) >= 10, demo, said)
                _until("approval", lambda: _count(rows, "exceptions_approval"), demo, said)
                _until("quarantined event", lambda: _count(rows, QUARANTINED), demo, said)
                _until("comparison", lambda: _count(rows, COMPARED), demo, said)
                ticket = rows.execute("SELECT public_id FROM exceptions_ticket ORDER BY id DESC LIMIT 1").fetchone()
            assert ticket is not None
            _see_pages(f"http://127.0.0.1:{port}", str(ticket[0]))
        finally:
            demo.send_signal(signal.SIGINT)
            code = demo.wait(timeout=30)
        assert code == 0, said.read_text()
        assert _processes(tmp_path) == {}


COMPLETED = "engine_run WHERE status = 'completed' AND flow = 'opportunity-to-order'"
QUARANTINED = "engine_event WHERE status = 'quarantined'"
COMPARED = "reconciliation_reconciliationrun WHERE status = 'completed'"


def _count(rows: psycopg.Connection[Any], what: str) -> int:
    found = rows.execute(f"SELECT count(*) FROM {what}").fetchone()  # type: ignore[arg-type]
    assert found is not None
    return int(found[0])


def _kill_the_worker(folder: Path) -> None:
    workers = [pid for pid, line in _processes(folder).items() if WORKER in line]
    os.kill(min(workers), signal.SIGKILL)


def _see_pages(url: str, ticket: str) -> None:
    dana = _log_in(url, "dana")
    assert dana.get("/").status_code == httpx.codes.OK
    shown = dana.get("/queue/")
    assert shown.status_code == httpx.codes.OK
    assert ticket in shown.text or "tkt_" in shown.text
    assert _log_in(url, "sam").get("/approvals/").status_code == httpx.codes.OK
