#!/usr/bin/env python
"""Meshline's command line. Starts the embedded Postgres and Valkey where none are configured."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
    from meshline.environment import use_embedded_servers_if_unset

    use_embedded_servers_if_unset(root=ROOT, start=sys.argv[1:2] not in (["embedded"], ["demo"]))
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        sys.exit(_no_database(error))


def _no_database(error: Exception) -> int:
    """Status 2, and a sentence instead of a trace: the cause is outside of us, and the same command may work later."""
    cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    sys.stderr.write(
        f"The database does not answer: {cause}. Check DATABASE_URL and that PostgreSQL runs, then run this again.\n"
    )
    return 2


if __name__ == "__main__":
    main()
