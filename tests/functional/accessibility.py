"""What every page of the console must pass in a real browser: axe, its width, and a strict policy."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

NODES_SHOWN_MAX = 5


def list_violations(page: Page) -> list[str]:
    """What axe-core finds, one readable line a rule."""
    found = Axe().run(page).response["violations"]
    return [describe_violation(violation) for violation in found]


def describe_violation(violation: dict) -> str:
    nodes = [f"{node['html'][:160]} ({(node.get('any') or [{}])[0].get('message', '')})" for node in violation["nodes"]]
    return f"{violation['id']}: {violation['help']}: " + " | ".join(nodes[:NODES_SHOWN_MAX])


def overflow_px(page: Page) -> int:
    """By how much the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
