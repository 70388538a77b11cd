"""Every page with no data at all, for a person who may only look, and for nobody."""

from __future__ import annotations

import pytest
from django.test import Client

PAGES = (
    "/",
    "/trace/",
    "/trace/?q=nothing",
    "/runs/",
    "/flows/",
    "/systems/",
    "/ownership/",
    "/profile/",
    "/profile/password/",
)


@pytest.mark.parametrize("path", PAGES)
def test_page_without_data_says_what_will_appear(as_charlie: Client, path: str) -> None:
    answer = as_charlie.get(path)
    assert answer.status_code == 200
    if "profile" not in path:
        assert "empty-state" in answer.content.decode()


@pytest.mark.parametrize(
    "path", [*PAGES, "/runs/export.csv", "/ownership/matrix.csv", "/flows/deals/", "/systems/erp/", "/trace/run_x/"]
)
def test_page_asks_strangers_to_log_in(db: None, client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/trace/run_0000000000000000/", "There is no run run_0000000000000000"),
        ("/trace/event/evt_0/", "There is no event evt_0"),
        ("/flows/nowhere/", "There is no Flow named"),
        ("/systems/nowhere/", "There is no system nowhere"),
    ],
)
def test_page_of_what_is_not_there_says_so(as_charlie: Client, path: str, said: str) -> None:
    answer = as_charlie.get(path)
    assert answer.status_code == 404
    assert said in answer.content.decode()


@pytest.mark.parametrize("path", ["/systems/erp/pause/", "/systems/erp/resume/", "/systems/erp/check/"])
def test_acts_on_systems_take_a_post(as_alice: Client, path: str) -> None:
    assert as_alice.get(path).status_code == 405
