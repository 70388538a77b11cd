"""Whether an acknowledgement means what it says: asked of PostgreSQL in the acknowledging transactions, and tried by killing it under load."""

from __future__ import annotations

import os
import secrets
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import psycopg

from bench.errors import BenchError
from bench.stage import Running, Stage, say
from meshline.embedded import service

ASKED = 200
KILLS = (signal.SIGQUIT, signal.SIGKILL)
ENOUGH = 300  # acknowledged before it is killed
MOST = 20_000
DEADLINE_S = 60
POLL_S = 0.02

# Deferred, so that it runs as the transaction commits, and sees what that commit will wait for.
TRAP = """
CREATE TABLE bench_seen (event_id bigint, synchronous_commit text, fsync text);
CREATE FUNCTION bench_see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench_seen VALUES (NEW.id, current_setting('synchronous_commit'), current_setting('fsync'));
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER bench_see AFTER INSERT ON engine_event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bench_see();
"""
SEEN = "SELECT count(*), count(*) FILTER (WHERE synchronous_commit = 'on' AND fsync = 'on') FROM bench_seen"
FOUND = "SELECT source_event_id FROM engine_event WHERE source_event_id LIKE %s"


def ask_sessions(running: Running, stage: Stage) -> dict[str, Any]:
    """Of some acknowledged events: how many were committed with fsync and synchronous_commit on. Raises BenchError."""
    with psycopg.connect(running.database_url, autocommit=True) as connection:
        connection.execute(TRAP)  # type: ignore[arg-type]
        try:
            stage.send(url=f"{running.url}/ingest/crm/", prefix=f"asked{secrets.token_hex(2)}", count=ASKED)
            row = connection.execute(SEEN).fetchone()
        finally:
            connection.execute("DROP TABLE bench_seen; DROP FUNCTION bench_see CASCADE")
    asked, safe = row or (0, 0)
    if asked != ASKED:
        raise BenchError(f"Of {ASKED} acknowledged events PostgreSQL saw {asked} committed.")
    return {"asked": asked, "safe": safe, "share_safe": safe / asked}


def crash_and_count(running: Running, stage: Stage) -> dict[str, Any]:
    """PostgreSQL killed while the door acknowledges, once at once (SIGQUIT) and once by kill -9; started again; what is missing counted.

    The web part lives on, and has to accept again by itself.
    """
    acknowledged = lost = 0
    for number, how in enumerate(KILLS):
        prefix = f"crash{number}"
        sent = _kill_under_load(running, stage, prefix, how)
        service.ensure_started(root=stage.cluster.root)
        missing = sent - _found(running, prefix)
        say(f"{how.name} after {len(sent)} acknowledgements: {len(missing)} missing {sorted(missing)[:5]}")
        acknowledged, lost = acknowledged + len(sent), lost + len(missing)
        _await_open(running, stage, f"after{number}")
    return {"kills": [how.name for how in KILLS], "acknowledged": acknowledged, "lost": lost}


def _kill_under_load(running: Running, stage: Stage, prefix: str, how: signal.Signals) -> set[str]:
    """The ids of the events that were acknowledged before the end."""
    with ThreadPoolExecutor(1) as thread:
        job = {"url": f"{running.url}/ingest/crm/", "prefix": prefix, "count": MOST, "until_failure": True}
        sending = thread.submit(stage.send, **job)
        _await_enough(running, prefix)
        _end(stage.cluster.pids()["postgres"], how)
        seen = sending.result(timeout=DEADLINE_S)
    return {f"evt-{prefix}-{number}" for number in seen["acknowledged"]}


def _await_enough(running: Running, prefix: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while len(_found(running, prefix)) < ENOUGH:
        if time.monotonic() > end:
            raise BenchError(f"The door took fewer than {ENOUGH} events in {DEADLINE_S} s. {running.last_words()}")
        time.sleep(POLL_S)


def _end(pid: int, how: signal.Signals) -> None:
    """SIGQUIT to the postmaster ends all of PostgreSQL without a farewell; kill -9 goes to every one of its processes."""
    family = psutil.Process(pid).children(recursive=True) if how == signal.SIGKILL else []
    for each in (pid, *(process.pid for process in family)):
        os.kill(each, how)
    psutil.Process(pid).wait(timeout=DEADLINE_S) if psutil.pid_exists(pid) else None


def _found(running: Running, prefix: str) -> set[str]:
    with psycopg.connect(running.database_url) as connection:
        return {row[0] for row in connection.execute(FOUND, [f"evt-{prefix}-%"])}


def _await_open(running: Running, stage: Stage, prefix: str) -> None:
    end, tries = time.monotonic() + DEADLINE_S, 0
    while True:
        tries += 1
        seen = stage.send(url=f"{running.url}/ingest/crm/", prefix=f"{prefix}x{tries}", count=1, until_failure=True)
        if seen["acknowledged"]:
            return
        if time.monotonic() > end:
            raise BenchError(f"The door does not open again: {seen['statuses']}. {running.last_words()}")
        time.sleep(10 * POLL_S)
