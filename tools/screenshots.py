"""`make screenshots`: the documentation's pictures, from a demo of its own, in headless Chromium.

The demo has a folder and a database of its own, so one that runs meanwhile is not disturbed. The story is the same
each time (same seed); the times on the pages are those of the day.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from playwright.sync_api import Browser, Page, sync_playwright

from meshline.demo.logins import PASSWORD
from meshline.environment import use_embedded_servers_if_unset
from tests import browsers, redis_urls

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "screenshots"
DATABASE = "meshline_screenshots"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
READY, COMPARED = "Meshline is ready", "nightly comparison"
SETTLE_S = 15  # after the comparison was asked for
DEADLINE_S = 120
THEME = "localStorage.setItem('meshline.theme', '{}')"
QUEUE = "/queue/?view=open"
ECHO = "Already done"  # of a run that only met our own write again
FIRST_LINKS = {
    "ticket": ("/queue/", r"/tickets/tkt_[^/]+/$"),
    "trace": ("/runs/?flow=opportunity-to-order&status=completed", r"/trace/run_[^/]+/$"),
    "reconciliation-run": ("/reconciliation/", r"/reconciliation/runs/[^/]+/$"),
}


def main() -> None:
    path = browsers.find()
    if path is None:
        sys.exit("No Chromium here. What to do: make setup, or put `chromium` on PATH.")
    use_embedded_servers_if_unset(root=ROOT)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with _database() as url, _demo(url) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(browsers.LAUNCH_ARGUMENTS))
        _take_all(browser, address)
        browser.close()


def _take_all(browser: Browser, address: str) -> None:
    dana = _log_in(browser, address, "dana", theme="light", size=WIDE)
    for name, path in (("overview", "/"), ("queue", QUEUE), ("reconciliation", "/reconciliation/")):
        _take(dana, name, path)
    for name, (listing, pattern) in FIRST_LINKS.items():
        _take(dana, name, _first_link(dana, listing, pattern))
    robin = _log_in(browser, address, "robin", theme="light", size=WIDE)
    for name, path in (
        ("flow", "/flows/opportunity-to-order/"),
        ("systems", "/systems/"),
        ("ownership", "/ownership/"),
    ):
        _take(robin, name, path)
    sam = _log_in(browser, address, "sam", theme="light", size=NARROW)
    _take(sam, "approval", _first_link(sam, "/approvals/", r"/approvals/apr_[^/]+/$"))
    _take(_log_in(browser, address, "dana", theme="dark", size=WIDE), "queue-dark", QUEUE)


def _log_in(browser: Browser, address: str, username: str, *, theme: str, size: dict[str, int]) -> Page:
    context = browser.new_context(base_url=address, viewport=size, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    context.add_init_script(THEME.format(theme))
    page = context.new_page()
    page.goto("/login/")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: urlsplit(url).path == "/")
    return page


def _first_link(page: Page, listing: str, pattern: str) -> str:
    page.goto(listing)
    links = [link.get_attribute("href") or "" for link in page.locator("main a[href]").all()]
    found = [link for link in links if re.search(pattern, urlsplit(link).path)]
    if not found:
        sys.exit(f"{listing} links to nothing like {pattern}; it links to {sorted(set(links))}")
    return next(link for link in found if page.goto(link) and ECHO not in page.inner_text("main"))


def _take(page: Page, name: str, path: str) -> None:
    answer = page.goto(path)
    page.wait_for_load_state("load")
    picture = PICTURES / f"{name}.png"
    page.screenshot(path=picture)
    print(
        f"{picture.relative_to(ROOT)}  {picture.stat().st_size // 1000} kB  {answer.status if answer else '?'}  {path}"
    )


@contextmanager
def _database() -> Iterator[str]:
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{DATABASE}")).replace(":/?", ":///?")
        finally:
            connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@contextmanager
def _demo(database: str) -> Iterator[str]:
    """A demo that has made its comparison. Yields its address."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="meshline-screenshots-") as folder:
        said = Path(folder, "said")
        options = ("--port", str(port), "--folder", folder, "--compare-after", "40")
        environment = {
            **os.environ,
            "DATABASE_URL": database,
            "MESHLINE_TASK_QUEUE": DATABASE,
            "REDIS_URL": redis_urls.for_worker(os.environ["REDIS_URL"], "gw12"),
        }
        with said.open("w") as out:
            demo = subprocess.Popen(
                [sys.executable, "manage.py", "demo", *options], cwd=ROOT, env=environment, stderr=out
            )
        try:
            _wait_for(READY, said, demo)
            _wait_for(COMPARED, said, demo)
            time.sleep(SETTLE_S)
            yield f"http://127.0.0.1:{port}"
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(timeout=60)


def _wait_for(text: str, said: Path, demo: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while text not in said.read_text():
        if demo.poll() is not None or time.monotonic() > ends_at:
            sys.exit(f"The demo did not come so far as {text!r}:\n{said.read_text()}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
