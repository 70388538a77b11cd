"""`python -m syncflows.sandbox`: the sandbox without Django, for tests that start and kill it."""

import argparse
import sys
from pathlib import Path

from syncflows.sandbox.errors import SandboxStartError
from syncflows.sandbox.server import DEFAULT_PORT, DEFAULT_STORE, serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--store", type=Path, default=DEFAULT_STORE)
    options = parser.parse_args()
    try:
        serve(host=options.host, port=options.port, store=options.store)
    except SandboxStartError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
