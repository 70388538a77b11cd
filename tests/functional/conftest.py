"""Pages in a real browser: one browser a session (tests/conftest.py), one context a test.

`open_page("/queue/")` opens a path of the live server; every page fails its test on script errors and refused content.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

OpenPage = Callable[..., "Page"]
WIDE, NARROW = 1440, 360
HEIGHT = 900


@pytest.fixture(scope="session")
def browser(browser: Browser) -> Browser:
    """The session's browser. Its sync API keeps an event loop in this thread to the end, which Django takes for an async caller."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    return browser


@pytest.fixture
def open_page(browser: Browser, live_server: Any) -> Iterator[OpenPage]:
    """A function that opens a path: `open_page("/queue/", theme="dark", width=NARROW, session=client)`.

    `session` is a Django test client that has logged in; its cookies are taken over.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_path(path: str, *, theme: str = "light", width: int = WIDE, session: Any = None) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        if session is not None:
            context.add_cookies(
                [{"name": n, "value": m.value, "url": live_server.url} for n, m in session.cookies.items()]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if "Security Policy" in message.text else None)
        page.goto(live_server.url + path)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert problems == [], "script errors or content refused by the policy"
