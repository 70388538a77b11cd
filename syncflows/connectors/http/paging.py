"""Walks through the pages of a list: by cursor, page number, offset or link. Ends on its own even where the far side does not.

Never skips and never trusts silence: what cannot be the next page is an error, not an end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from meshline.kernel import expressions, fingerprint
from meshline.kernel.errors import MeshlineError
from syncflows.connectors.errors import Misconfigured, NotFound
from syncflows.governance.schemas.systems import Paging

PAGES_MAX = 20_000
LINK = re.compile(r"<([^<>]*)>\s*((?:;[^,<]*)*)")
JSON = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One answered page. url: the address it came from."""

    items: list[JSON]
    answer: Any
    headers: Mapping[str, str]
    url: str


@dataclass(frozen=True)
class Ask:
    """What to ask for: query to add to the first address, or another address altogether."""

    query: Mapping[str, str]
    url: str = ""


Fetch = Callable[[Ask], Page]


def walk(paging: Paging, *, fetch: Fetch, where: str) -> Iterator[Page]:
    """Yields page after page. Raises Misconfigured where the pages loop, repeat or leave the host."""
    kinds = {"none": _single, "cursor": _by_cursor, "page": _by_number, "offset": _by_offset, "link": _by_link}
    for count, page in enumerate(kinds[paging.type](paging, fetch, where), start=1):
        if count > PAGES_MAX:
            raise Misconfigured(
                f"{where}: more than {PAGES_MAX} pages. Ask for a shorter period or larger pages (paging.size)."
            )
        yield page


def _single(paging: Paging, fetch: Fetch, where: str) -> Iterator[Page]:
    yield fetch(Ask(_size(paging)))


def _by_cursor(paging: Paging, fetch: Fetch, where: str) -> Iterator[Page]:
    if paging.next is None:
        raise Misconfigured(
            f"{where}.next is missing: say where the next cursor stands, for example answer.next_cursor."
        )
    query, seen = _size(paging), set[str]()
    while True:
        page = fetch(Ask(query))
        yield page
        cursor = _next(paging.next, page, where)
        if cursor in (None, "", False):
            return
        if str(cursor) in seen:
            raise _looping(where, f"the cursor {str(cursor)[:60]!r} came twice")
        seen.add(str(cursor))
        query = {**query, paging.param: str(cursor)}


def _by_number(paging: Paging, fetch: Fetch, where: str) -> Iterator[Page]:
    number, before = 1, ""
    while True:
        page = _past_the_end(fetch, Ask({**_size(paging), paging.param: str(number)}), first=number == 1)
        if page is None or not page.items:
            return
        before = _refuse_repeat(page, before, where, f"page {number} is the same as the one before")
        yield page
        if paging.next is not None and not _next(paging.next, page, where):
            return
        number += 1


def _by_offset(paging: Paging, fetch: Fetch, where: str) -> Iterator[Page]:
    """By what came, not by what was asked for: many systems cap the page."""
    offset, before = 0, ""
    while True:
        page = _past_the_end(fetch, Ask({**_size(paging), paging.param: str(offset)}), first=offset == 0)
        if page is None or not page.items:
            return
        before = _refuse_repeat(page, before, where, f"offset {offset} gives the same as the one before")
        yield page
        if paging.next is not None and not _next(paging.next, page, where):
            return
        offset += len(page.items)


def _by_link(paging: Paging, fetch: Fetch, where: str) -> Iterator[Page]:
    ask, seen = Ask(_size(paging)), set[str]()
    while True:
        page = fetch(ask)
        yield page
        target = _next(paging.next, page, where) if paging.next is not None else next_link(page.headers.get("link", ""))
        if not target:
            return
        url = same_host(page.url, str(target), where=where)
        if url in seen or url == page.url:
            raise _looping(where, "the next link leads back to a page that was read already")
        seen.add(url)
        ask = Ask({}, url)


def next_link(header: str) -> str:
    """The target of rel="next" in a Link header (RFC 8288); empty where there is none."""
    for target, parameters in LINK.findall(header):
        for parameter in parameters.split(";"):
            name, _, value = parameter.strip().partition("=")
            if name.strip().lower() == "rel" and "next" in value.strip().strip('"').lower().split():
                return str(target)
    return ""


def same_host(base: str, target: str, *, where: str) -> str:
    """The absolute address of `target`. Raises Misconfigured where it leaves scheme, host or port: our credential goes nowhere else."""
    url = urljoin(base, target)
    if _origin(url) != _origin(base) or urlsplit(url).username is not None:
        raise Misconfigured(
            f"{where}: the next page lies at {_place(url)}, outside of the system's own address. It was not asked for."
        )
    return url


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}"[:100]


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)


def _past_the_end(fetch: Fetch, ask: Ask, *, first: bool) -> Page | None:
    """Some frameworks answer 404 beyond the last page."""
    try:
        return fetch(ask)
    except NotFound:
        if first:
            raise
        return None


def _refuse_repeat(page: Page, before: str, where: str, what: str) -> str:
    now = fingerprint.of(page.items)
    if now == before:
        raise _looping(where, what)
    return now


def _looping(where: str, what: str) -> Misconfigured:
    return Misconfigured(
        f"{where}: {what}, so the list would never end. Check paging.type and paging.param against the system's documentation."
    )


def _size(paging: Paging) -> dict[str, str]:
    return {paging.size_param: str(paging.size)} if paging.size_param else {}


def _next(source: str, page: Page, where: str) -> Any:
    try:
        return expressions.compiled(source).evaluate({"answer": page.answer, "headers": dict(page.headers)})
    except MeshlineError as error:
        raise Misconfigured(
            f"{where}.next: {error.message}. Where the system leaves it out on the last page, write has(answer.x) ? answer.x : null.",
            context=error.context,
        ) from error
