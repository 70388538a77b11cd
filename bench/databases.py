"""A database of its own for a benchmark, in whatever server DATABASE_URL names, dropped afterwards. Never touches the checkout's."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from bench.errors import BenchError
from meshline.environment import use_embedded_servers_if_unset

ROOT = Path(__file__).resolve().parent.parent
OWN_VALKEY_DATABASE = 63


@contextmanager
def temporary(*, settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a migrated, empty database with the settings given; both are gone afterwards. Raises BenchError."""
    use_embedded_servers_if_unset(root=ROOT)
    server, name = os.environ["DATABASE_URL"], f"meshline_bench_{os.getpid()}_{secrets.token_hex(3)}"
    environment = {**os.environ, **settings, **_broker(name), "DATABASE_URL": named(server, name)}
    _execute(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        migrate(environment)
        yield environment
    finally:
        _execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        redis.from_url(environment["REDIS_URL"]).delete(name)


def named(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _broker(queue: str) -> dict[str, str]:
    """Bells of a benchmark wake nobody else's workers: a task queue of its own, and of the embedded Valkey a database of its own."""
    url = os.environ["REDIS_URL"]
    if url.startswith("unix://"):
        url = f"{url.partition('?')[0]}?db={OWN_VALKEY_DATABASE}"
    return {"REDIS_URL": url, "MESHLINE_TASK_QUEUE": queue}


def _execute(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def migrate(environment: dict[str, str]) -> None:
    """Raises BenchError."""
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"The benchmark's database could not be migrated: {done.stderr.strip()[-2000:]}")
