"""Crashes of embedded servers that belong to the caller: PostgreSQL as at a power cut, Valkey with all its data. Each is started again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from meshline.embedded import service

GONE_S = 30


def crash_postgres(root: Path) -> None:
    """End it at once, without a checkpoint (immediate shutdown), and start it: it recovers from its log."""
    _end("postgres", signal.SIGQUIT, root=root)
    service.ensure_started(root=root)


def crash_valkey(root: Path) -> None:
    """kill -9: it keeps nothing on disk, so every message, limit and lock in it is gone."""
    _end("valkey", signal.SIGKILL, root=root)
    service.ensure_started(root=root)


def _end(name: str, number: signal.Signals, *, root: Path) -> None:
    pid = service.status(root=root)[name]["pid"]
    assert isinstance(pid, int), f"{name} does not run"
    process = psutil.Process(pid)
    os.kill(pid, number)
    end = time.monotonic() + GONE_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, f"{name} does not end"
        time.sleep(0.02)
