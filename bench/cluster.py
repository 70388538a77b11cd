"""PostgreSQL and Valkey of a benchmark's own, from the same wheels and with the same settings as the product's embedded ones; gone afterwards.

Its own, because processor time and bytes of a server are those of everybody who uses it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import redis
from psycopg import sql

from bench.databases import ROOT, migrate, named
from bench.errors import BenchError
from meshline.embedded import service
from meshline.embedded.errors import EmbeddedError

TEMPLATE = "meshline_template"
SEGMENTS = 16  # of 16 MB each; as a server that has run for a while keeps them, ready to be written again
PREFIX = "bench-"
SECTOR_BYTES = 512


@dataclass(frozen=True)
class Cluster:
    """Two running servers. `root` is the folder they live in."""

    root: Path
    database_url: str
    redis_url: str

    def pids(self) -> dict[str, int]:
        found = {name: state["pid"] for name, state in service.status(root=self.root).items()}
        if None in found.values():
            raise BenchError(f"A server of the benchmark has ended: {found}. Its log is gone with it; try again.")
        return found  # type: ignore[return-value]

    def execute(self, statement: str | sql.Composed, *, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(named(self.database_url, database), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def written_log_bytes(self) -> int:
        """Of the write-ahead log, since the server was made."""
        [[position]] = self.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
        return int(str(position))

    def written_bytes(self) -> dict[str, int]:
        """What PostgreSQL wrote since the server was made: its log, pages of tables and indexes, and by how much it made files longer.

        Backends tell when they end, or within seconds. By its own count: the kernel's (/proc/PID/io) counts a whole folio for each page written
        into one, a hundred times the truth on ext4. A file that grows is filled with zeroes or only reserved; its pages are written later, and counted again.
        """
        [[log, pages, growth]] = self.execute(
            "SELECT coalesce(sum(write_bytes) FILTER (WHERE object = 'wal'), 0)::bigint, "
            "coalesce(sum(write_bytes) FILTER (WHERE object <> 'wal'), 0)::bigint, coalesce(sum(extend_bytes), 0)::bigint FROM pg_stat_io"
        )
        return {"log": int(str(log)), "pages": int(str(pages)), "growth": int(str(growth))}

    def disk_bytes(self) -> int:
        """What everybody on this machine wrote to the disk that the servers are on; 0 where the kernel does not tell."""
        device = self.root.stat().st_dev
        path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
        return int(path.read_text().split()[6]) * SECTOR_BYTES if path.exists() else 0

    def counts(self) -> dict[str, int]:
        """commits, and how often the log was brought to the disk, since the server was made; told as late as `written_bytes`."""
        [[commits]] = self.execute("SELECT sum(xact_commit)::bigint FROM pg_stat_database")
        [[syncs]] = self.execute("SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'")
        return {"commits": int(str(commits)), "log_syncs": int(str(syncs))}

    def end_connections(self) -> None:
        """Of whoever is connected; each tells what it wrote as it goes."""
        others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        self.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")

    @contextmanager
    def database(self, name: str, *, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, dropped afterwards."""
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield named(self.database_url, name)
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def environment(self, *, database_url: str) -> dict[str, str]:
        """Without what the caller's own connections are told (PGOPTIONS), which could make a commit wait for less."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**own, "DATABASE_URL": database_url, "REDIS_URL": self.redis_url}

    def forget_messages(self) -> None:
        redis.from_url(self.redis_url).flushdb()


@contextmanager
def own() -> Iterator[Cluster]:
    """Start both, and stop them at the end whatever happens. Raises BenchError."""
    state = ROOT / ".meshline"
    state.mkdir(mode=0o700, exist_ok=True)
    _clear_leftovers(state)
    root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=state))
    try:
        urls = service.ensure_started(root=root)
        cluster = Cluster(root, urls["DATABASE_URL"], urls["REDIS_URL"])
        _season(cluster)
        yield cluster
    except EmbeddedError as error:
        raise BenchError(f"The benchmark's servers: {error}") from error
    finally:
        _remove(root)


def make_template(cluster: Cluster) -> None:
    """The product's tables and the benchmark's definitions, made once, to be copied for each use. Not idempotent."""
    cluster.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    environment = cluster.environment(database_url=named(cluster.database_url, TEMPLATE))
    migrate(environment)
    command = [sys.executable, "-m", "bench.contenders.product", "speed", "deals"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"The benchmark's definitions could not be applied: {done.stderr.strip()[-2000:]}")


def _season(cluster: Cluster) -> None:
    """A new server creates each file of its log with zeroes the first time; one that has run for a while writes old ones again."""
    with psycopg.connect(named(cluster.database_url, "postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET min_wal_size = '{SEGMENTS * 16 * 2}MB'")  # type: ignore[arg-type]
        connection.execute("SELECT pg_reload_conf()")
        for _ in range(SEGMENTS):
            connection.execute("SELECT pg_logical_emit_message(false, 'bench', 'x'), pg_switch_wal()")
        connection.execute("CHECKPOINT")


def _clear_leftovers(state: Path) -> None:
    """What a benchmark left that was killed."""
    for folder in state.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            _remove(folder)


def _remove(root: Path) -> None:
    with contextlib.suppress(EmbeddedError):
        service.stop(root=root)
    shutil.rmtree(root, ignore_errors=True)
