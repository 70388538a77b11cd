"""The benchmark and the fault run really run, with a handful of events: what they measure, count and write."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from bench import contest, deals, idle, metering
from bench.cluster import Cluster
from bench.contenders import starting
from bench.errors import BenchError
from bench.processes import Child
from bench.stage import at

EVENTS = 30
ENVIRONMENT = dict(os.environ)


@pytest.mark.slow
def test_contenders_carry_every_event_end_to_end(cluster: Cluster, tmp_path: Path) -> None:
    """On servers of their own, with real processes, as the benchmark starts them."""
    with at(0, cluster=cluster, folder=tmp_path) as stage:
        with starting.floor(stage, threads=2) as running:
            floor = contest.measure(running, stage, "f", EVENTS)
        with starting.script(stage, concurrency=2) as running:
            script = contest.measure(running, stage, "s", EVENTS)
        with starting.meshline(stage, settings={}) as running:
            idled = idle.watch(running, stage, 1.0, ask=lambda path: None)
            ours = contest.measure(running, stage, "m", EVENTS)
    assert [took.events for took in (floor, script, ours)] == [EVENTS] * 3
    assert all(
        took.seconds > 0 and min(took.written.bytes[kind] for kind in ("log", "pages")) > 0
        for took in (floor, script, ours)
    )
    assert {"web", "worker", "beat", "postgres", "valkey"} < set(ours.used)
    assert {name.split()[0] for name in idled.share} == {"web", "worker", "beat", "postgres", "valkey"}


class Door(BaseHTTPRequestHandler):
    """Accepts what is signed rightly; is busy once, and cuts one connection."""

    protocol_version = "HTTP/1.1"
    moods: ClassVar[list[str]] = []
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        mood = self.moods.pop() if self.moods else ""
        if mood == "cut":
            self.close_connection = True
            return
        if not mood:
            Webhook(deals.SECRET).verify(body, dict(self.headers.items()))
            self.seen.append(self.headers["webhook-id"])
        self.send_response(429 if mood else 202)
        self.send_header("retry-after", "0.01")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.parametrize("rate", [None, 2000.0])
def test_source_has_each_event_accepted_once_whatever_the_door_does(tmp_path: Path, rate: float | None) -> None:
    Door.moods, Door.seen = ["busy", "cut"], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with Child("bench.load", environment=ENVIRONMENT, log=tmp_path / "log") as source:
            url = f"http://127.0.0.1:{server.server_port}/"
            job = {"url": url, "secret": deals.SECRET, "prefix": "x", "count": 50, "connections": 4, "rate": rate}
            told = source.ask(job)
    finally:
        server.shutdown()
        server.server_close()
    assert told["statuses"] == {"202": 50, "429": 1}
    assert sorted(told["acknowledged"]) == list(range(50))
    assert sorted(Door.seen) == sorted(f"evt-x-{number}" for number in range(50))


def test_stub_counts_orders_and_recognises_nothing_twice(tmp_path: Path) -> None:
    with Child("bench.erp_stub", "--latency-ms", "20", environment=ENVIRONMENT, log=tmp_path / "log") as stub:
        url = stub.read()["url"]
        with httpx.Client(base_url=url, trust_env=False) as client:
            began = time.monotonic()
            answers = [client.post("/orders", json={"external_id": "p-1"}).json() for _ in range(2)]
            assert time.monotonic() - began >= 0.04
            assert client.get("/orders", params={"external_id": "p-1"}).json()["items"] == answers
            assert client.get("/count", params={"prefix": "p"}).json()["duplicates"] == 1
    assert stub.process.returncode == 0


def test_metering_keeps_what_ended_children_took() -> None:
    burn = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))']); print('x', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert metering.of_tree(process.pid).cpu_s > 0.05
        process.kill()


def test_child_that_ends_early_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with (
        Child("bench.contenders.floor", "nonsense", environment=ENVIRONMENT, log=tmp_path / "log") as child,
        pytest.raises(BenchError, match=r"(?s)contenders\.floor ended with 1.*ValueError"),
    ):
        child.read()


@pytest.mark.parametrize("module", ["bench", "bench.chaos"])
def test_commands_refuse_nonsense(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--events", "0"],
        cwd=Path(__file__).parents[3],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "must be 1 or more" in done.stderr
