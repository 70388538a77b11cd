"""Pages of a list by cursor, for the console: as fast on page 1,000 as on page 1, and stable while rows arrive.

The cursor is a public id; row numbers never leave the database. The API pages by `meshline.kernel.api.paging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

SIZE = 50
NEWER = "-"
CURSOR_LENGTH_MAX = 40


@dataclass(frozen=True)
class Page:
    """Rows, newest first. A cursor is empty where there is no such page."""

    rows: list[Any]
    previous_cursor: str = ""
    next_cursor: str = ""


def page(queryset: QuerySet[Any], *, cursor: str = "", size: int = SIZE) -> Page:
    """The rows before the one that `cursor` names, or after it where it begins with a minus. An unknown cursor gives the first page."""
    anchor = _anchor(queryset, cursor.removeprefix(NEWER))
    if anchor is None:
        return _older(queryset, size, begins=True)
    if cursor.startswith(NEWER):
        return _newer(queryset.filter(pk__gt=anchor), size)
    return _older(queryset.filter(pk__lt=anchor), size, begins=False)


def _anchor(queryset: QuerySet[Any], public_id: str) -> int | None:
    if not public_id or len(public_id) > CURSOR_LENGTH_MAX or "\0" in public_id:
        return None
    found: int | None = queryset.model._default_manager.filter(public_id=public_id).values_list("pk", flat=True).first()
    return found


def _older(queryset: QuerySet[Any], size: int, *, begins: bool) -> Page:
    rows = list(queryset.order_by("-pk")[: size + 1])
    shown = rows[:size]
    return Page(shown, _newer_than(shown) if not begins else "", shown[-1].public_id if len(rows) > size else "")


def _newer(queryset: QuerySet[Any], size: int) -> Page:
    rows = list(queryset.order_by("pk")[: size + 1])
    shown = rows[:size][::-1]
    return Page(shown, _newer_than(shown) if len(rows) > size else "", shown[-1].public_id if shown else "")


def _newer_than(rows: list[Any]) -> str:
    return f"{NEWER}{rows[0].public_id}" if rows else ""
