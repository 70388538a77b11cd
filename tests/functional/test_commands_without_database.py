"""Every command that needs the database says so when it is gone: one sentence, no trace, a status that is not 0."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    ("drain", "--timeout-s", "1"),
    ("trace", "X"),
    ("reconcile", "orders"),
    ("flows", "apply", "docs/examples/demo"),
    ("ingest", "docs/examples/demo/data/price-book.csv", "--system", "erp"),
    ("approvals", "list"),
    ("tickets", "list"),
    ("token", "list"),
    ("verify_audit",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_command_without_database_fails_in_one_sentence(command: tuple[str, ...]) -> None:
    environment = {**os.environ, "DATABASE_URL": "postgresql://postgres@127.0.0.1:1/nowhere", "MESHLINE_DB_WAIT_S": "1"}
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert "database" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "mysql://x/y"), ("MESHLINE_LEASE_S", "soon"), ("DEBUG", "perhaps"), ("SECRET_KEY", "short")],
)
def test_bad_setting_stops_the_start_and_is_named(name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert f"environment variable {name}" in done.stderr
    assert "Example" in done.stderr
