"""What a figure was measured on, and how busy it was: figures of a shared machine compare only with those of the same run."""

from __future__ import annotations

import os
import platform
from typing import Any

import psutil
import psycopg

SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers")


def describe(database_url: str) -> dict[str, Any]:
    """The machine, its load before the run (1, 5, 15 minutes), Python and PostgreSQL."""
    with psycopg.connect(database_url) as connection:
        postgres = {name: _shown(connection, name) for name in SETTINGS}
    return {
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "postgres": postgres,
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def _shown(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])
