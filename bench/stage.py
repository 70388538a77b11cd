"""Where contenders play: the servers, an ERP, a source system; and what one of them is once it runs."""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import deals
from bench.cluster import Cluster
from bench.errors import BenchError
from bench.processes import Child
from meshline.demo.errors import DemoError
from meshline.demo.plan import Part
from meshline.demo.supervisor import Supervisor

CONNECTIONS = 64
QUEUE = "bench"


@dataclass(frozen=True)
class Stage:
    """The same for every contender. log: where children write what they have to say."""

    cluster: Cluster
    folder: Path
    erp: Child
    erp_url: str
    source: Child
    latency_ms: int

    def environment(self, database_url: str) -> dict[str, str]:
        return {
            **self.cluster.environment(database_url=database_url), "BENCH_ERP_URL": self.erp_url, "BENCH_WEBHOOK_SECRET": deals.SECRET,
            "MESHLINE_TASK_QUEUE": QUEUE, "MESHLINE_BACKLOG_HIGH": "100000000",  # the door is measured while nobody works
            "SECRET_KEY": secrets.token_urlsafe(50), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    def books(self, prefix: str) -> dict[str, Any]:
        """What the ERP got of that prefix."""
        answer = httpx.get(f"{self.erp_url}/count", params={"prefix": prefix}, trust_env=False)
        return dict(answer.raise_for_status().json())

    def send(self, **job: Any) -> dict[str, Any]:
        """Have the source system send; what came back, once every event was acknowledged. Raises BenchError."""
        return self.source.ask({"secret": deals.SECRET, "connections": CONNECTIONS, **job})


@dataclass(frozen=True)
class Running:
    """A contender that is warm. parts: its process trees by name. offer: hands in events of a prefix, returns what the source saw, if there is one.
    done: how many events of a prefix it holds for finished. described: how it is set up. url: of its door, where it has one."""

    name: str
    parts: dict[str, int]
    offer: Callable[[str, int], dict[str, Any] | None]
    done: Callable[[str], int]
    described: str
    last_words: Callable[[], str]
    database_url: str
    url: str = ""


@contextmanager
def at(latency_ms: int, *, cluster: Cluster, folder: Path) -> Iterator[Stage]:
    """A stage whose ERP takes that long over an order."""
    log = folder / "stage.log"
    environment = cluster.environment(database_url=cluster.database_url)
    with (
        Child("bench.erp_stub", "--latency-ms", str(latency_ms), environment=environment, log=log) as erp,
        Child("bench.load", environment=environment, log=log) as source,
    ):
        yield Stage(cluster, folder, erp, erp.read()["url"], source, latency_ms)


@contextmanager
def parts(stage: Stage, *wanted: Part, environment: dict[str, str], root: Path) -> Iterator[Supervisor]:
    """Run these until the block ends. Raises BenchError with the last words of one that does not come up."""
    supervisor = Supervisor(folder=stage.folder, environment=environment, root=root, say=say)
    try:
        for part in wanted:
            supervisor.launch(part)
        for part in wanted:
            supervisor.await_ready(part, is_stopping=lambda: False)
        yield supervisor
    except DemoError as error:
        raise BenchError(str(error)) from error
    finally:
        supervisor.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
