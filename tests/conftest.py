"""What every test needs: the embedded servers, settings that use them, and a browser for those that ask for one.

Small on purpose; fixtures of one part live in `tests/<kind>/<part>/conftest.py`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import django
import pytest

from meshline.environment import use_embedded_servers_if_unset
from tests import browsers, redis_urls

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A real Tryton, for whoever asks for the fixture.
pytest_plugins = ["tests.tryton_server"]

CHECKOUT = Path(__file__).resolve().parent.parent

# Here, not in a fixture: settings name the servers, and test modules import models as they are collected.
use_embedded_servers_if_unset(root=CHECKOUT)
os.environ["REDIS_URL"] = redis_urls.for_worker(os.environ["REDIS_URL"], os.environ.get("PYTEST_XDIST_WORKER", ""))
# Tests kill processes, never the machine: what a server has accepted outlives them without waiting for the disk.
os.environ.setdefault("PGOPTIONS", "-c synchronous_commit=off")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
django.setup()


@pytest.fixture(autouse=True)
def limits_begin_anew() -> None:
    """What one test counted of a system's calls is not held against the next test's system of the same name."""
    from syncflows.engine.limits import meter

    meter.begin_anew()


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium. Without one the test is skipped, or fails where CI is set: CI must see every page."""
    path = browsers.find()
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("No Chromium here. `make setup` gets one where it can; or put `chromium` on PATH.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(browsers.LAUNCH_ARGUMENTS))
        yield started
        started.close()
