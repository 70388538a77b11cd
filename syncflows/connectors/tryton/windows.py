"""Everything of a period, page after page, by ascending id: a record that is added meanwhile moves no other to another page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from syncflows.connectors.tryton.rpc import Rpc


def days(field: str, *, since: dt.datetime, until: dt.datetime) -> list[Any]:
    """Days that the half-open window [since, until) touches: until at midnight leaves that day out, until at noon takes it in."""
    last = (until - dt.timedelta(microseconds=1)).date()
    return [[field, ">=", since.date()], [field, "<=", last]]


def pages(rpc: Rpc, model: str, domain: list[Any], fields: list[str]) -> Iterator[dict[str, Any]]:
    last, size = 0, rpc.settings.options.page_size
    while True:
        page = rpc.search(model, [*domain, ["id", ">", last]], fields, limit=size)
        yield from page
        if len(page) < size:
            return
        last = page[-1]["id"]
