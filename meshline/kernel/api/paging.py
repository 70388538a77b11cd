"""Cursor paging: stable while rows arrive, and as fast on page 1,000 as on page 1."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.api.query import BadQuery

LIMIT_DEFAULT, LIMIT_MAX = 50, 200
ROW_NUMBER_MAX = 2**63 - 1
NAMES = frozenset({"limit", "cursor"})


class NewestFirst(CursorPagination):
    """By row number, downwards. `next` and `previous` are addresses; `next_cursor` is the cursor of `next` alone."""

    ordering = "-id"
    page_size = LIMIT_DEFAULT
    page_size_query_param = "limit"
    page_size_query_description = f"Rows on one page, 1 to {LIMIT_MAX}."
    max_page_size = LIMIT_MAX
    cursor_query_description = "`next_cursor` of the page before."
    page_size_schema = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("limit", str(LIMIT_DEFAULT))
        if not (asked.isascii() and asked.isdigit() and len(asked) < 10 and 1 <= int(asked) <= LIMIT_MAX):
            raise BadQuery(
                f"limit={asked[:40]!r} is not a whole number from 1 to {LIMIT_MAX}.",
                context={"errors": [{"field": "limit", "message": f"1 to {LIMIT_MAX}"}]},
            )
        return int(asked)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            cursor = Cursor(0, False, "unreadable")  # type: ignore[arg-type]  # positions are texts
        if cursor and cursor.position is not None and not _is_row_number(str(cursor.position)):
            raise BadQuery(
                "The cursor cannot be read. Begin again without one.",
                code="bad_cursor",
                context={"errors": [{"field": "cursor", "message": "take it from next_cursor"}]},
            )
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        following = self.get_next_link()
        cursor = parse_qs(urlsplit(following).query)["cursor"][0] if following else None
        return Response(
            {"next": following, "previous": self.get_previous_link(), "next_cursor": cursor, "results": data}
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        cursor = {"type": ["string", "null"], "description": "pass as `cursor` for the next page; null on the last"}
        names = ("next", "previous", "next_cursor", "results")
        return {
            "type": "object",
            "required": list(names),
            "properties": {"next": link, "previous": link, "next_cursor": cursor, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        return [{**item, "schema": self.page_size_schema} if item["name"] == "limit" else item for item in found]


class OldestFirst(NewestFirst):
    """By row number, upwards: for what is told in its order."""

    ordering = "id"


def _is_row_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= ROW_NUMBER_MAX
