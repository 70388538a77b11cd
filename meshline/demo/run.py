"""The course of a demo: servers, preparation, parts, then watching until told to stop. Always leaves everything stopped."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from meshline.demo import plan, ports
from meshline.demo.errors import DemoError
from meshline.demo.logins import LOGINS
from meshline.demo.plan import Demo
from meshline.demo.supervisor import Supervisor
from meshline.embedded import service
from meshline.kernel import jobs

WATCH_S = 0.3
NIGHTLY = "reconciliation.nightly"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What the person at the terminal asked for."""

    root: Path
    folder: Path
    port: int | None
    seconds: float | None  # after the first page; None: until told to stop
    compare_after_s: float
    began_at: float


def run(wishes: Wishes, *, say: Say) -> None:
    """Runs until SIGINT, SIGTERM, or `seconds` after the first page. Raises DemoError when a part ends by itself."""
    wishes.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_one(wishes.folder), _stop_signal() as stopping, _servers(wishes, say=say):
        demo = Demo(
            root=wishes.root,
            folder=wishes.folder,
            port=ports.choose(wishes.port, first=ports.WEB_PORT, purpose="web"),
            sandbox_port=ports.choose(None, first=ports.SANDBOX_PORT, purpose="sandbox"),
        )
        environment = plan.environment(demo)
        os.environ.update(environment)  # the definitions are checked against it as they are applied
        supervisor = Supervisor(folder=demo.folder, environment=environment, root=demo.root, say=say)
        try:
            _start(demo, supervisor, stopping=stopping, say=say)
            if not stopping.is_set():
                _show(demo, took_s=time.time() - wishes.began_at, say=say)
            _watch(supervisor, wishes, stopping=stopping, say=say)
        finally:
            _stop_parts(supervisor, say=say)


def _start(demo: Demo, supervisor: Supervisor, *, stopping: threading.Event, say: Say) -> None:
    """What takes long starts early and is awaited late. Each line says how long was waited for that step."""
    sandbox, product = plan.sandbox(demo), plan.product(demo)
    supervisor.launch(sandbox)
    _prepare(demo, stopping=stopping, say=say)
    for part in product:
        supervisor.launch(part)
    for part in (sandbox, *product):
        with _timed(part.name, say=say) as result:
            supervisor.await_ready(part, is_stopping=stopping.is_set)
            result.append(part.ready_url or "started")
    if not stopping.is_set():
        with _timed("first load", say=say) as result:
            result.append(_bring_in(demo))
        supervisor.launch(plan.traffic(demo))


def _prepare(demo: Demo, *, stopping: threading.Event, say: Say) -> None:
    from meshline.demo import preparation  # models: only once the servers answer

    for name, act in preparation.steps(demo):
        if not stopping.is_set():
            with _timed(name, say=say) as result:
                result.append(act())
    _close_connections()


def _bring_in(demo: Demo) -> str:
    from meshline.demo import first_load

    try:
        return first_load.bring_in(demo)
    finally:
        _close_connections()


def _close_connections() -> None:
    """Nothing of ours stays open while the parts run."""
    from django.db import connections

    connections.close_all()


def _watch(supervisor: Supervisor, wishes: Wishes, *, stopping: threading.Event, say: Say) -> None:
    shown_at = time.monotonic()
    ends_at = shown_at + wishes.seconds if wishes.seconds else float("inf")
    compares_at = shown_at + wishes.compare_after_s
    while not stopping.wait(WATCH_S) and time.monotonic() < ends_at:
        supervisor.check()
        if time.monotonic() >= compares_at:
            compares_at = float("inf")
            jobs.enqueue(NIGHTLY)
            say("  The nightly comparison with the ERP is being made now; see Reconciliation.")


def _stop_parts(supervisor: Supervisor, *, say: Say) -> None:
    say("Stopping…")
    if stubborn := supervisor.stop():
        say(f"  had to be killed: {', '.join(stubborn)}")


def _show(demo: Demo, *, took_s: float, say: Say) -> None:
    say(f"\nMeshline is ready after {took_s:.0f} s:  {demo.url}/\n")
    for login in LOGINS:
        say(f"  {login['username']:<8} {login['password']}   {login['title']}")
    say(f"\n  The simulated CRM, ERP and support desk, and their faults:  {demo.sandbox_url}/")
    say("  Deals are being won there now, some of them going wrong. Within a minute every page has something on it.")
    say("  Kill the worker (kill -9) if you like: it is started again, and nothing is lost or done twice.")
    say(f"  Logs: {demo.folder}/*.log    Stop: Ctrl-C\n")


@contextmanager
def _servers(wishes: Wishes, *, say: Say) -> Iterator[None]:
    """PostgreSQL and Valkey for as long as the demo runs; those that ran before it, run after it."""
    root, ours = wishes.root, wishes.folder / "servers-are-ours"
    uses_embedded = all(os.environ.get(name) == url for name, url in service.urls(root=root).items())
    if uses_embedded and not all(state["answering"] for state in service.status(root=root).values()):
        ours.touch()  # outlives a demo that is killed, so that the next one still stops them
    with _timed("servers", say=say) as result:
        if uses_embedded:
            service.ensure_started(root=root)
        result.append("PostgreSQL and Valkey answer" if uses_embedded else "DATABASE_URL and REDIS_URL as given")
    try:
        yield
    finally:
        if uses_embedded and ours.exists():
            service.stop(root=root)
            ours.unlink()


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
