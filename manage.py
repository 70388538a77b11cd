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

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
