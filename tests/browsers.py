"""Finds a Chromium for the browser tests. `python -m tests.browsers` prints its path, or exits 1 when there is none."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LAUNCH_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")  # for root, and for small containers


def find() -> str | None:
    """Returns a Chromium that can be started: one named by MESHLINE_CHROMIUM, on PATH, or downloaded by Playwright."""
    return next((path for path in _candidates() if os.access(path, os.X_OK)), None)


def _candidates() -> Iterator[str]:
    yield os.environ.get("MESHLINE_CHROMIUM", "")
    yield from (path for name in NAMES if (path := shutil.which(name)))
    home = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    for pattern in ("chromium_headless_shell-*/*/*headless*shell*", "chromium-*/*/chrome"):
        yield from (str(path) for path in sorted(home.glob(pattern), reverse=True) if path.is_file())


if __name__ == "__main__":
    found = find()
    print(found or "none", file=sys.stdout if found else sys.stderr)
    sys.exit(0 if found else 1)
