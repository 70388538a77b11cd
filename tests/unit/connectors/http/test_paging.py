"""Pages: every item once, an end even where the far side has none, and never another host."""

from typing import Any

import pytest

from syncflows.connectors.errors import Misconfigured, NotFound, Transient
from syncflows.connectors.http import paging
from syncflows.connectors.http.paging import Ask, Page
from syncflows.governance.schemas.systems import Paging

URL = "https://erp.example.com/api/orders?x=1"


class Shelf:
    """Seven items on pages of three; `asked` keeps what was asked."""

    def __init__(self, *, size: int = 3, total: int = 7, stuck: bool = False, missing_after: bool = False) -> None:
        self.items = [{"n": number} for number in range(total)]
        self.size, self.stuck, self.missing_after = size, stuck, missing_after
        self.asked: list[Ask] = []

    def slice(self, start: int) -> list[Any]:
        if self.missing_after and start and start >= len(self.items):
            raise NotFound("Invalid page.")
        return self.items[: self.size] if self.stuck else self.items[start : start + self.size]

    def fetch(self, ask: Ask) -> Page:
        self.asked.append(ask)
        if "page" in ask.query:
            return Page(self.slice((int(ask.query["page"]) - 1) * self.size), None, {}, URL)
        start = int(
            ask.query.get("offset") or ask.query.get("cursor") or (ask.url.rpartition("=")[2] if ask.url else 0)
        )
        after = start + self.size if start + self.size < len(self.items) else None
        link = f'<https://erp.example.com/first>; rel="first", <?from={after}>; rel="next"' if after else ""
        return Page(self.slice(start), {"next": after}, {"link": link}, ask.url or URL)


def numbers(shelf: Any, **settings: Any) -> list[int]:
    pages = paging.walk(Paging(**settings), fetch=shelf.fetch, where="spec.operations.list.paging")
    return [item["n"] for page in pages for item in page.items]


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "cursor", "next": "answer.next"},
        {"type": "page", "param": "page"},
        {"type": "offset", "param": "offset"},
        {"type": "link"},
    ],
    ids=lambda settings: settings["type"],
)
@pytest.mark.parametrize("total", [0, 1, 3, 6, 7])
def test_walk_gives_every_item_once(settings: dict[str, Any], total: int) -> None:
    assert numbers(Shelf(total=total), **settings) == list(range(total))


def test_walk_without_paging_asks_once() -> None:
    shelf = Shelf(size=100)
    assert numbers(shelf, size=50, size_param="limit") == list(range(7))
    assert shelf.asked == [Ask({"limit": "50"})]


@pytest.mark.parametrize(
    "settings", [{"type": "page", "param": "page"}, {"type": "offset", "param": "offset"}], ids=["page", "offset"]
)
def test_walk_by_number_ends_at_a_404_beyond_the_last_page(settings: dict[str, Any]) -> None:
    assert numbers(Shelf(total=6, missing_after=True), **settings) == list(range(6))


@pytest.mark.parametrize(
    "settings", [{"type": "page", "param": "page"}, {"type": "offset", "param": "offset"}], ids=["page", "offset"]
)
def test_walk_by_number_tells_a_system_that_ignores_it(settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="never end"):
        numbers(Shelf(stuck=True), **settings)


def test_walk_by_number_passes_a_404_of_the_first_page_on() -> None:
    def fetch(ask: Ask) -> Page:
        raise NotFound("no such list")

    with pytest.raises(NotFound):
        list(paging.walk(Paging(type="page", param="page"), fetch=fetch, where="x"))


def test_walk_by_cursor_tells_a_loop() -> None:
    def fetch(ask: Ask) -> Page:
        return Page([{"n": 1}], {"next": "a" if ask.query.get("cursor") != "a" else "b"}, {}, URL)

    with pytest.raises(Misconfigured, match="came twice"):
        list(paging.walk(Paging(type="cursor", next="answer.next"), fetch=fetch, where="x"))


def test_walk_by_cursor_never_takes_a_renamed_cursor_for_the_end() -> None:
    def fetch(ask: Ask) -> Page:
        return Page([{"n": 1}], {"nextCursor": "a"}, {}, URL)

    with pytest.raises(Misconfigured, match="next"):
        list(paging.walk(Paging(type="cursor", next="answer.next"), fetch=fetch, where="x"))


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/x", "//evil.example/x", "http://erp.example.com/x", "https://erp.example.com:8443/x", "https://a:b@erp.example.com/x",
     "https://erp.example.com@evil.example/", "file:///etc/passwd", "https://erp.example.com:99999/x"],
)  # fmt: skip
def test_same_host_never_leaves_it(target: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        paging.same_host(URL, target, where="x")
    assert "b@" not in refused.value.message


def test_same_host_joins_what_stays() -> None:
    assert paging.same_host(URL, "?from=3", where="x") == "https://erp.example.com/api/orders?from=3"
    assert paging.same_host(URL, "/../../other", where="x").startswith("https://erp.example.com/")
    assert paging.same_host(URL, "https://erp.example.com:443/x", where="x") == "https://erp.example.com:443/x"


def test_walk_by_link_tells_a_loop() -> None:
    def fetch(ask: Ask) -> Page:
        return Page([{"n": 1}], None, {"link": f"<{URL}>; rel=next"}, ask.url or URL)

    with pytest.raises(Misconfigured, match="leads back"):
        list(paging.walk(Paging(type="link"), fetch=fetch, where="x"))


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<a>; rel="next"', "a"),
        ('<a>; rel="prev", <b?x=1,2>; title="t"; rel="last next"', "b?x=1,2"),
        ("<a>;rel=next", "a"),
        ("", ""),
        ("<a>; rel=previous", ""),
        ("rubbish", ""),
    ],
)
def test_next_link(header: str, target: str) -> None:
    assert paging.next_link(header) == target


def test_walk_passes_an_error_on_and_is_never_short() -> None:
    shelf = Shelf()

    def fetch(ask: Ask) -> Page:
        if ask.query.get("page") == "2":
            raise Transient("no answer")
        return shelf.fetch(ask)

    with pytest.raises(Transient):
        list(paging.walk(Paging(type="page", param="page"), fetch=fetch, where="x"))
