from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.test import RequestFactory

from meshline.console import navigation as console_navigation
from meshline.kernel import navigation
from meshline.kernel.navigation import Badge, Entry

ALICE = SimpleNamespace(is_authenticated=True)
NOBODY = SimpleNamespace(is_authenticated=False)
ENTRY = Entry(key="sample", label="Sample", url_name="login", go_key="z")


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(navigation, "_badges", {})
    monkeypatch.setattr(navigation, "_checks", {})
    monkeypatch.setattr(
        console_navigation, "ENTRIES", (ENTRY, Entry(key="gone", label="Gone", url_name="no-such-page", go_key="y"))
    )


def request_of(user, path="/"):
    request = RequestFactory().get(path)
    request.user = user
    return request


def test_list_entries_leaves_out_pages_that_no_app_serves():
    assert [entry.key for entry in console_navigation.list_entries(request_of(ALICE))] == ["sample"]


def test_list_entries_shows_nothing_to_a_stranger():
    assert console_navigation.list_entries(request_of(NOBODY)) == []


def test_list_entries_asks_the_registered_check():
    navigation.register_check("sample", lambda user: False)
    assert console_navigation.list_entries(request_of(ALICE)) == []


def test_list_entries_fills_the_badge_by_the_registered_counter():
    navigation.register_badge("sample", lambda user: Badge(3, "open tickets"))
    assert console_navigation.list_entries(request_of(ALICE))[0].badge == Badge(3, "open tickets")


def test_badge_for_shows_none_for_zero():
    navigation.register_badge("sample", lambda user: Badge(0, "open tickets"))
    assert navigation.badge_for("sample", user=ALICE) is None


def test_navigation_counts_nothing_until_a_header_is_drawn():
    def explode(user):
        raise AssertionError("counted")

    navigation.register_badge("sample", explode)
    context = console_navigation.navigation(request_of(ALICE))
    with pytest.raises(AssertionError, match="counted"):
        list(context["navigation_entries"])


@pytest.mark.parametrize(
    ("url", "path", "active"),
    [("/", "/", True), ("/", "/queue/", False), ("/queue/", "/queue/tkt_1/", True), ("/queue/", "/", False)],
)
def test_is_active_covers_the_pages_below(url, path, active):
    assert console_navigation.is_active(url, path=path) is active
