"""The sandbox's own SQLite file: schema, transactions, counters, settings.

WAL with synchronous=NORMAL: a commit is handed to the operating system before it is answered, so killing the
sandbox loses nothing it answered (only a power cut could). One connection, used by one thread at a time; a
transaction never awaits, so requests are serial without a lock.
"""

import fcntl
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from syncflows.sandbox.clock import Clock
from syncflows.sandbox.errors import SandboxStartError

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY, entity TEXT NOT NULL, key TEXT NOT NULL, external_id TEXT, name TEXT, parent TEXT,
    on_date TEXT, status TEXT, currency TEXT, amount TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS documents_key ON documents (entity, key);
CREATE INDEX IF NOT EXISTS documents_external_id ON documents (entity, external_id);
CREATE INDEX IF NOT EXISTS documents_name ON documents (entity, name COLLATE NOCASE) WHERE name IS NOT NULL;
CREATE INDEX IF NOT EXISTS documents_parent ON documents (entity, parent) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS documents_updated ON documents (entity, updated_at, seq);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS idempotency (
    system TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (system, key)
);
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY, system TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL, events TEXT NOT NULL,
    state TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY, webhook TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    message_id TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL, traceparent TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due_at_s REAL NOT NULL, last_status INTEGER, last_error TEXT,
    created_at TEXT NOT NULL, finished_at TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at_s) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_webhook ON deliveries (webhook, seq);
"""
TABLES = ("documents", "counters", "settings", "faults", "idempotency", "deliveries", "webhooks")


class Store:
    """Opens the file for one process. Raises SandboxStartError when another sandbox has it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.clock = Clock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _take_lock(self.path)
            self._connection = _connect(self.path)
        except (OSError, sqlite3.Error) as error:
            raise SandboxStartError(
                f"The store {self.path} cannot be opened: {error}. Give another --store."
            ) from error

    def close(self) -> None:
        self._connection.close()
        self._lock.close()

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def next_number(self, name: str) -> int:
        """The next value of a counter; taken back if the transaction is."""
        row = self.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name,),
        ).fetchone()
        return int(row[0])

    def read_setting(self, name: str) -> Any:
        row = self.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def write_setting(self, name: str, value: Any) -> None:
        self.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def clear(self, *, keep: frozenset[str] = frozenset()) -> None:
        for table in TABLES:
            if table not in keep:
                self.execute(f"DELETE FROM {table}")


def _take_lock(path: Path) -> IO[str]:
    lock = Path(f"{path}.lock").open("w")  # noqa: SIM115  held until the store is closed
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SandboxStartError(
            f"Another sandbox is using the store {path}. Stop it, or give this one its own with --store PATH."
        ) from None
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.row_factory = sqlite3.Row
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=4000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript(SCHEMA)
    return connection
