"""The course of a demo: servers, preparation, parts, then watching until told to stop. Always leaves everything stopped."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from meshline.demo import plan, ports
from meshline.demo.errors import DemoError
from meshline.demo.logins import LOGINS
from meshline.demo.plan import Demo
from meshline.demo.supervisor import Supervisor
from meshline.embedded import service

WATCH_S = 0.3
Say = Callable[[str], None]


def run(*, root: Path, port: int | None, seconds: float | None, began_at: float, say: Say) -> None:
    """Runs until SIGINT, SIGTERM, or `seconds` after the first page. Raises DemoError when a part ends by itself."""
    folder = root / ".meshline" / "demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_one(folder), _stop_signal() as stopping, _servers(root, say=say):
        demo = Demo(
            root=root,
            port=ports.choose(port, first=ports.WEB_PORT, purpose="web"),
            sandbox_port=ports.choose(None, first=ports.SANDBOX_PORT, purpose="sandbox"),
        )
        environment = plan.environment(demo)
        os.environ.update(environment)  # the definitions are checked against it as they are applied
        _prepare(demo, say=say)
        supervisor = Supervisor(folder=folder, environment=environment, root=root)
        try:
            _start_parts(demo, supervisor, stopping=stopping, say=say)
            if not stopping.is_set():
                _show(demo, took_s=time.time() - began_at, say=say)
            _watch(supervisor, stopping=stopping, seconds=seconds)
        finally:
            _stop_parts(supervisor, say=say)


def _prepare(demo: Demo, *, say: Say) -> None:
    from meshline.demo import preparation  # models: only once the servers answer

    for name, act in preparation.steps(demo):
        with _timed(name, say=say) as result:
            result.append(act())
    from django.db import connections

    connections.close_all()  # nothing of ours stays open while the parts run, or is inherited by them


def _start_parts(demo: Demo, supervisor: Supervisor, *, stopping: threading.Event, say: Say) -> None:
    for part in plan.parts(demo):
        if stopping.is_set():
            return
        with _timed(part.name, say=say) as result:
            supervisor.start(part, is_stopping=stopping.is_set)
            result.append(part.ready_url or "started")


def _watch(supervisor: Supervisor, *, stopping: threading.Event, seconds: float | None) -> None:
    ends_at = time.monotonic() + seconds if seconds else float("inf")
    while not stopping.wait(WATCH_S) and time.monotonic() < ends_at:
        supervisor.check()


def _stop_parts(supervisor: Supervisor, *, say: Say) -> None:
    say("Stopping…")
    if stubborn := supervisor.stop():
        say(f"  had to be killed: {', '.join(stubborn)}")


def _show(demo: Demo, *, took_s: float, say: Say) -> None:
    say(f"\nMeshline is ready after {took_s:.0f} s:  {demo.url}/\n")
    for login in LOGINS:
        say(f"  {login['username']:<8} {login['password']}   {login['title']}")
    say(f"\n  The simulated CRM, ERP and support desk, and their faults:  {demo.sandbox_url}/")
    say(f"  Logs: {demo.folder}/*.log    Stop: Ctrl-C\n")


@contextmanager
def _servers(root: Path, *, say: Say) -> Iterator[None]:
    """PostgreSQL and Valkey for as long as the demo runs; those that ran before it, run after it."""
    uses_embedded = all(os.environ.get(name) == url for name, url in service.urls(root=root).items())
    were_running = all(state["answering"] for state in service.status(root=root).values())
    with _timed("servers", say=say) as result:
        if uses_embedded:
            service.ensure_started(root=root)
        result.append("PostgreSQL and Valkey answer" if uses_embedded else "DATABASE_URL and REDIS_URL as given")
    try:
        yield
    finally:
        if uses_embedded and not were_running:
            service.stop(root=root)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                "A demo of this checkout is running already. What to do: use it, or stop it first."
            ) from None
        yield


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set. A second Ctrl-C changes nothing: stopping takes seconds at most."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _timed(name: str, *, say: Say) -> Iterator[list[str]]:
    began = time.monotonic()
    result: list[str] = []
    yield result
    say(f"  {time.monotonic() - began:5.1f} s  {name:<12} {' '.join(result)}")
