"""The entries of the console's header and the context processor that shows them; must not query anything itself.

Counts come from callables that apps register in `meshline.kernel.navigation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from meshline.kernel.navigation import Badge, Entry, badge_for, may_see

ENTRIES = (
    Entry(key="overview", label="Overview", url_name="overview", go_key="o"),
    Entry(key="queue", label="Queue", url_name="queue", go_key="q"),
    Entry(key="approvals", label="Approvals", url_name="approvals", go_key="a"),
    Entry(key="trace", label="Trace", url_name="trace", go_key="t"),
    Entry(key="flows", label="Flows", url_name="flows", go_key="f"),
    Entry(key="staged", label="Staged", url_name="staged", go_key="d"),
    Entry(key="reconciliation", label="Reconciliation", url_name="reconciliation", go_key="r"),
    Entry(key="systems", label="Systems", url_name="systems", go_key="s"),
    Entry(key="ownership", label="Ownership", url_name="ownership", go_key="w"),
)
PROFILE_URL_NAME = "profile"


@dataclass(frozen=True)
class ShownEntry:
    key: str
    label: str
    url: str
    go_key: str
    active: bool
    badge: Badge | None


def page_url(url_name: str) -> str:
    """The page's address, or nothing while no app serves it."""
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return ""


def is_active(url: str, *, path: str) -> bool:
    return path == url or (url != "/" and path.startswith(url))


def show_entry(entry: Entry, *, url: str, request: HttpRequest) -> ShownEntry:
    return ShownEntry(
        key=entry.key,
        label=entry.label,
        url=url,
        go_key=entry.go_key,
        active=is_active(url, path=request.path),
        badge=badge_for(entry.key, user=request.user),
    )


def list_entries(request: HttpRequest) -> list[ShownEntry]:
    """Entries this person may see and some app serves."""
    user = getattr(request, "user", None)
    if user is None:
        return []
    seen = [(e, page_url(e.url_name)) for e in ENTRIES if may_see(e, user=user)]
    return [show_entry(entry, url=url, request=request) for entry, url in seen if url]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Lazy: partials and API answers that show no header count nothing."""
    is_demo = getattr(settings, "MESHLINE_DEMO", False)
    return {
        "navigation_entries": SimpleLazyObject(lambda: list_entries(request)),
        "search_url": page_url("trace"),
        "profile_url": page_url(PROFILE_URL_NAME),
        "is_demo": is_demo,
        "demo_logins": getattr(settings, "MESHLINE_DEMO_LOGINS", ()) if is_demo else (),
    }
