"""Lists of tickets and approvals in any order, by cursor: as fast on page 1,000 as on page 1. Reads only; the cursor is a public id."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from exceptions.enums import LIVE
from exceptions.filters import NEWEST, ordering_of
from exceptions.models import Ticket
from meshline.kernel.keyset import CURSOR_LENGTH_MAX, NEWER, SIZE, Page

SUMMED_MAX = 20_000
NO_AMOUNT = Decimal(-1)
SORTS: dict[str, tuple[str, ...]] = {
    "due": ("due_at", "id"),
    "-due": ("-due_at", "-id"),
    "amount": ("known_amount", "id"),
    "-amount": ("-known_amount", "-id"),
    "opened": ("opened_at", "id"),
    "-opened": NEWEST,
}


@dataclass(frozen=True)
class Summary:
    """What a filtered list comes to: `amounts` per currency of what is still open; `capped` where only the first 20,000 were counted."""

    total: int
    open: int
    breached: int
    amounts: list[tuple[str, Decimal]]
    capped: bool


def order_of(sort: str, view: str) -> tuple[str, ...]:
    """The asked order, or the view's own; each ends with the row number, so that pages never overlap."""
    return SORTS.get(sort) or ordering_of(view)


def ordered(queryset: QuerySet[Any], ordering: tuple[str, ...]) -> QuerySet[Any]:
    """Rows in that order; what has no amount counts as the least."""
    if ordering[0].endswith("known_amount"):
        queryset = queryset.annotate(known_amount=Coalesce("amount", Value(NO_AMOUNT)))
    return queryset.order_by(*ordering)


def page(queryset: QuerySet[Any], *, ordering: tuple[str, ...], cursor: str = "", size: int = SIZE) -> Page:
    """The rows after the one that `cursor` names, or before it where it begins with a minus. An unknown cursor gives the first page."""
    rows = ordered(queryset, ordering)
    anchor = _anchor(rows.model, ordering, cursor.removeprefix(NEWER))
    if anchor is None:
        return _forward(rows, size, begins=True)
    if cursor.startswith(NEWER):
        return _back(rows.filter(beyond(ordering, anchor, back=True)), ordering, size)
    return _forward(rows.filter(beyond(ordering, anchor)), size, begins=False)


def beyond(ordering: tuple[str, ...], anchor: Any, *, back: bool = False) -> Q:
    """What stands after (`back`: before) this row in that order."""
    name, word = ordering[0].removeprefix("-"), "gt" if ordering[0].startswith("-") == back else "lt"
    value = _value(anchor, name)
    return Q(**{f"{name}__{word}": value}) | Q(**{name: value, f"pk__{word}": anchor.pk})


def position(queryset: QuerySet[Any], found: Any, *, ordering: tuple[str, ...]) -> int:
    """How many rows stand before this one, plus one. One query."""
    return ordered(queryset, ordering).filter(beyond(ordering, found, back=True)).order_by().count() + 1


def neighbours(queryset: QuerySet[Any], found: Any, *, ordering: tuple[str, ...]) -> tuple[str, str]:
    """Public ids before and after this row; empty at the ends. Two look-ups."""
    rows = ordered(queryset, ordering)
    before = rows.filter(beyond(ordering, found, back=True)).reverse().values_list("public_id", flat=True).first()
    after = rows.filter(beyond(ordering, found)).values_list("public_id", flat=True).first()
    return before or "", after or ""


def summary(queryset: QuerySet[Ticket]) -> Summary:
    """Counts and sums of at most 20,000 rows, by currency. One query."""
    some = Ticket.objects.filter(pk__in=queryset.order_by("pk").values("pk")[: SUMMED_MAX + 1])
    late, alive = Q(status__in=LIVE, due_at__lte=timezone.now()), Q(status__in=LIVE)
    rows = some.values_list("currency").annotate(
        all=Count("pk"), open=Count("pk", filter=alive), late=Count("pk", filter=late), sum=Sum("amount", filter=alive)
    )
    total = open_ = breached = 0
    amounts: list[tuple[str, Decimal]] = []
    for currency, all_, alive_number, late_number, value in rows.order_by("currency"):
        total, open_, breached = total + all_, open_ + alive_number, breached + late_number
        amounts += [(currency, value)] if value else []
    return Summary(min(total, SUMMED_MAX), open_, breached, amounts, total > SUMMED_MAX)


def _value(anchor: Any, name: str) -> Any:
    if name != "known_amount":
        return getattr(anchor, name)
    return NO_AMOUNT if anchor.amount is None else anchor.amount


def _anchor(model: Any, ordering: tuple[str, ...], public_id: str) -> Any:
    if not public_id or len(public_id) > CURSOR_LENGTH_MAX or "\0" in public_id:
        return None
    name = ordering[0].removeprefix("-").replace("known_amount", "amount")
    return model._default_manager.filter(public_id=public_id).only("public_id", name).first()


def _forward(rows: QuerySet[Any], size: int, *, begins: bool) -> Page:
    found = list(rows[: size + 1])
    shown = found[:size]
    previous = f"{NEWER}{shown[0].public_id}" if shown and not begins else ""
    return Page(shown, previous, shown[-1].public_id if len(found) > size else "")


def _back(rows: QuerySet[Any], ordering: tuple[str, ...], size: int) -> Page:
    found = list(rows.reverse()[: size + 1])
    shown = found[:size][::-1]
    previous = f"{NEWER}{shown[0].public_id}" if len(found) > size else ""
    return Page(shown, previous, shown[-1].public_id if shown else "")
