"""Start a contender, warm, on a stage: the product, the script and the floor, each with a database of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench import deals
from bench.cluster import TEMPLATE
from bench.databases import ROOT
from bench.errors import BenchError
from bench.processes import Child
from bench.stage import Running, Stage, free_port, parts
from meshline.demo import plan
from meshline.demo.plan import Demo, Part
from meshline.demo.ports import HOST
from meshline.demo.supervisor import Supervisor

SCRIPT_WEB_PROCESSES = 2  # as many as the product's
READY_S = 60
WARM_S = 60
POLL_S = 0.02
SCRIPT_DONE = "SELECT count(*) FROM script_log WHERE deal LIKE %s"
FLOOR_DONE = "SELECT count(*) FROM floor_event WHERE payload->>'deal_id' LIKE %s AND number IS NOT NULL"
MESHLINE_DONE = "SELECT count(*) FROM engine_run WHERE canonical_key LIKE %s AND status = 'completed'"


@contextmanager
def floor(stage: Stage, *, threads: int) -> Iterator[Running]:
    with stage.cluster.database("floor") as url:
        log = stage.folder / "floor.log"
        with Child("bench.contenders.floor", str(threads), environment=stage.environment(url), log=log) as child:

            def offer(prefix: str, count: int) -> None:
                child.ask({"prefix": prefix, "count": count})

            yield _warm(Running("floor", {"floor": child.process.pid}, offer, _counting(url, FLOOR_DONE), f"{threads} threads", log.read_text, url))  # fmt: skip


@contextmanager
def script(stage: Stage, *, concurrency: int, tuned: bool = False) -> Iterator[Running]:
    """tuned: its workers keep their database connection from one task to the next, which is not Celery's default."""
    with stage.cluster.database("script") as url:
        stage.cluster.forget_messages()
        environment = {**stage.environment(url), "DJANGO_SETTINGS_MODULE": "bench.contenders.script.settings", "BENCH_SCRIPT_DB_REUSE": "1000000" if tuned else "0"}  # fmt: skip
        _run([sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"], environment)
        demo = _demo(stage)
        gunicorn = (
            "-m", "gunicorn", "bench.contenders.script.wsgi:application", f"--bind={HOST}:{demo.port}", "--worker-class=gthread", "--preload",
            f"--workers={SCRIPT_WEB_PROCESSES}", "--threads=8", "--access-logfile=-",
        )  # fmt: skip
        celery = ("-m", "celery", "--app=bench.contenders.script.tasks:app", "worker", "--pool=prefork", f"--concurrency={concurrency}", "--loglevel=INFO")  # fmt: skip
        wanted = (
            Part("web", (sys.executable, *gunicorn), f"{demo.url}/healthz"),
            Part("worker", (sys.executable, *celery)),
        )
        with parts(stage, *wanted, environment=environment, root=ROOT) as supervisor:
            _await_worker(stage.folder / "worker.log")
            told = "script, tuned" if tuned else "script", f"{concurrency} Celery processes"
            yield _warm(_behind_a_door(stage, demo, supervisor, url, SCRIPT_DONE, *told))


@contextmanager
def meshline(
    stage: Stage,
    *,
    settings: dict[str, str],
    without: tuple[str, ...] = (),
    alter: Callable[[Part], Part] = lambda part: part,
) -> Iterator[Running]:
    """The product by the command lines of `make demo`. without: parts that are not started; then it is not warm. alter: another command line."""
    with stage.cluster.database("meshline_bench", template=TEMPLATE) as url:
        stage.cluster.forget_messages()
        environment = {**stage.environment(url), "DJANGO_SETTINGS_MODULE": "meshline.settings", **settings}
        demo = _demo(stage)
        wanted = [alter(part) for part in plan.product(demo) if part.name not in without]
        with parts(stage, *wanted, environment=environment, root=ROOT) as supervisor:
            running = _behind_a_door(stage, demo, supervisor, url, MESHLINE_DONE, "meshline", _shown(wanted, settings))
            if "worker" in running.parts:
                _await_worker(stage.folder / "worker.log")
            yield running if without else _warm(running)


def await_done(running: Running, prefix: str, count: int, *, patience_s: float) -> None:
    """Until the contender itself holds them all for finished. Raises BenchError when nothing moves for that long."""
    seen, moved_at = -1, time.monotonic()
    while (done := running.done(prefix)) < count:
        if done != seen:
            seen, moved_at = done, time.monotonic()
        if time.monotonic() - moved_at > patience_s:
            raise BenchError(
                f"{running.name} finished {done} of {count} events and does not go on. {running.last_words()}"
            )
        time.sleep(POLL_S if count - done < 200 else 10 * POLL_S)


def _warm(running: Running) -> Running:
    """So many events that every process has done some of each kind of its work."""
    running.offer("warm", deals.WARM_UP)
    await_done(running, "warm", deals.WARM_UP, patience_s=WARM_S)
    return running


def _demo(stage: Stage) -> Demo:
    return Demo(root=ROOT, folder=stage.folder, port=free_port(), sandbox_port=0)


def _behind_a_door(
    stage: Stage, demo: Demo, supervisor: Supervisor, database_url: str, done: str, name: str, described: str
) -> Running:
    def offer(prefix: str, count: int) -> dict[str, Any]:
        return stage.send(url=demo.webhook_url, prefix=prefix, count=count)

    return Running(name, supervisor.pids(), offer, _counting(database_url, done), described, _last_words(stage), database_url, demo.url)  # fmt: skip


def _counting(url: str, statement: str) -> Callable[[str], int]:
    """Asks on a connection of its own each time: it must not keep the database from being dropped."""

    def done(prefix: str) -> int:
        with psycopg.connect(url) as connection:
            row = connection.execute(statement, [f"{prefix}-%"]).fetchone()  # type: ignore[arg-type]
            return int(row[0]) if row else 0

    return done


def _await_worker(log: Path) -> None:
    end = time.monotonic() + READY_S
    while " ready." not in log.read_text():
        if time.monotonic() > end:
            raise BenchError(f"The worker is not ready after {READY_S} s: {log.read_text()[-2000:]}")
        time.sleep(POLL_S)


def _last_words(stage: Stage) -> Callable[[], str]:
    return lambda: "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(stage.folder.glob("*.log")))


def _shown(wanted: list[Part], settings: dict[str, str]) -> str:
    commands = [" ".join(word for word in part.argv[1:] if "bind" not in word and "/" not in word) for part in wanted]
    return "; ".join([*commands, *(f"{name}={value}" for name, value in settings.items())])


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"`{' '.join(command[1:])}` failed: {done.stderr.strip()[-2000:]}")
