"""Filtering and paging of every list. An unknown filter is refused: ignoring one would answer the wrong records."""

from collections.abc import Iterable, Mapping

from syncflows.sandbox import documents
from syncflows.sandbox.clock import parse_date, parse_time
from syncflows.sandbox.documents import Condition, Entity
from syncflows.sandbox.errors import invalid
from syncflows.sandbox.exchange import Answer, Call

MAX_PAGE = 500
DEFAULT_PAGE = 50
TIME_COLUMNS = ("created_at", "updated_at")
Filters = dict[str, tuple[str, str]]
CHANGED: Filters = {"updated_since": ("updated_at", ">=")}


def answer_page(call: Call, entity: Entity, filters: Filters) -> Answer:
    """{"items", "next_cursor"} of the documents that match the query. Raises ApiError 422."""
    refuse_unknown(call.query, known=(*filters, "limit", "cursor"))
    conditions = [
        read_filter(name, call.query[name], column, operator)
        for name, (column, operator) in filters.items()
        if name in call.query
    ]
    items, cursor = documents.page(
        call.store, entity, conditions, limit=page_size(call.query), cursor=call.query.get("cursor")
    )
    return Answer(200, {"items": items, "next_cursor": cursor})


def read_filter(name: str, text: str, column: str, operator: str) -> Condition:
    try:
        if column in TIME_COLUMNS:
            text = parse_time(text)
        elif column == "on_date":
            text = parse_date(text)
    except ValueError as error:
        raise invalid((name, str(error))) from None
    return column, operator, text


def page_size(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_PAGE))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_PAGE):
        raise invalid(("limit", f"must be a whole number from 1 to {MAX_PAGE}"))
    return int(text)


def refuse_unknown(query: Mapping[str, str], *, known: Iterable[str]) -> None:
    known = tuple(known)
    unknown = [name for name in query if name not in known]
    if unknown:
        raise invalid(
            *[(name[:80], f"unknown filter; known are {', '.join(known) or 'none'}") for name in unknown[:20]]
        )
