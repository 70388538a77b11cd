"""Which months there are, which may be archived, and the freezing of one. Writes no file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection
from django.db.backends.utils import CursorWrapper

from meshline.kernel.errors import Conflict, Invalid
from syncflows import hooks
from syncflows.engine import partitions
from syncflows.engine.archives import tables
from syncflows.engine.archives.enums import AWAY, MonthStatus
from syncflows.engine.archives.models import ArchivedMonth
from syncflows.engine.enums import TERMINAL
from syncflows.engine.models import ReplayItem, Run
from syncflows.engine.partitions import Month, Partition
from syncflows.engine.replays.enums import OVER, ReplayOutcome

LABEL = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
ALONE = 0x61726368  # advisory lock: one process archives or restores at a time
COUNTED_MAX = 1000


@dataclass(frozen=True)
class Span:
    """A month's partitions, by table. `first` and `past` bound its row numbers; the first month of all begins at 0."""

    label: str
    parts: dict[str, Partition]

    @property
    def first(self) -> int:
        return self.parts[tables.RUNS.table].first or 0

    @property
    def past(self) -> int:
        return self.parts[tables.RUNS.table].past

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts.values())


def spans() -> list[Span]:
    """Every month whose rows are in the database, as rows or as stubs, oldest first."""
    by_label: dict[str, dict[str, Partition]] = {}
    for part in partitions.listing():
        by_label.setdefault(str(part.month), {})[part.table] = part
    found = [Span(label, parts) for label, parts in by_label.items() if tables.RUNS.table in parts]
    return sorted(found, key=lambda span: span.past)


def span(label: str) -> Span:
    """Raises Invalid."""
    if not LABEL.match(label):
        raise Invalid(f"{label!r} is not a month such as 2026-08.", code="bad_month")
    known = {item.label: item for item in spans()}
    if label not in known:
        raise Invalid(f"There is no month {label}. There are: {', '.join(known)}.", code="unknown_month")
    return known[label]


def away(key: int) -> ArchivedMonth | None:
    """The archived month that this row number (of an event or a run) belongs to, if it is archived. One query."""
    return ArchivedMonth.objects.filter(first_key__lte=key, past_key__gt=key, status__in=AWAY).first()


def note(key: int | None) -> str:
    """For people: that the content of this event or run is in an archive, and how to get it back; empty where it is live. One query."""
    month = away(key) if key is not None else None
    if month is None or month.archived_at is None:
        return ""
    since = f"Archived on {month.archived_at:%Y-%m-%d} with {month.label}: payload, attempts and history left the live tables."
    if month.status == MonthStatus.DELETED:
        return f"{since} The archive was deleted as the Retention definition asks."
    return f"{since} They are in {month.folder}; an administrator restores them with manage.py restore --month {month.label}."


def refuse_away(key: int, *, what: str) -> None:
    """Raises Conflict where the row is a stub, whose content is in an archive, or is on its way there. One query."""
    month = ArchivedMonth.objects.filter(first_key__lte=key, past_key__gt=key).exclude(status=MonthStatus.LIVE).first()
    if month is not None and month.status == MonthStatus.FROZEN:
        raise Conflict(
            f"{what} is being archived just now with {month.label}. Try again when that is done.", code="being_archived"
        )
    if month is not None:
        raise Conflict(
            f"{what} was archived with {month.label}; its payload and history are in {month.folder}. "
            f"Restore the month (manage.py restore --month {month.label}), then try again.",
            code="archived",
            context={"month": month.label},
        )


def reasons_to_stay(found: Span) -> list[str]:
    """Why this month cannot leave now, in sentences; none: it can."""
    if not _is_over(found):
        return [f"{found.label} is not over: new rows still go into it."]
    unfinished = Run.objects.filter(pk__gte=found.first, pk__lt=found.past).exclude(status__in=TERMINAL)
    names = list(unfinished.order_by("pk").values_list("public_id", flat=True)[:COUNTED_MAX])
    reasons = []
    if names:
        more = " or more" if len(names) == COUNTED_MAX else ""
        reasons.append(f"{len(names)}{more} runs of {found.label} have not ended, {names[0]} among them.")
    waiting = ReplayItem.objects.filter(
        run_id__gte=found.first, run_id__lt=found.past, outcome__in=(ReplayOutcome.WAITING, ReplayOutcome.UNDER_WAY)
    ).exclude(job__status__in=OVER)
    if waiting.exists():
        reasons.append(f"A replay that is not over speaks of runs of {found.label}.")
    return reasons + hooks.needed(first=found.first, past=found.past)


def freeze(cursor: CursorWrapper, found: Span) -> None:
    """From now on, and until thawed, every change of the month's rows is refused. Waits for those under way."""
    for kept in tables.MONTHLY:
        if kept.table in found.parts:
            thaw_table(cursor, found.parts[kept.table].name)
            cursor.execute(tables.FREEZE.format(name=found.parts[kept.table].name))


def thaw(cursor: CursorWrapper, found: Span) -> None:
    for kept in tables.MONTHLY:
        if kept.table in found.parts:
            thaw_table(cursor, found.parts[kept.table].name)


def thaw_table(cursor: CursorWrapper, name: str) -> None:
    cursor.execute(tables.THAW.format(name=name))


@contextmanager
def alone() -> Iterator[None]:
    """Only one process archives or restores; the lock falls with its connection. Raises Conflict."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ALONE])
        if not cursor.fetchone()[0]:
            raise Conflict("A month is being archived or restored already. Wait for that to end.", code="archiving")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ALONE])


def _is_over(found: Span) -> bool:
    names = [kept.monthly.sequence for kept in tables.MONTHLY]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT last_value FROM {name}" for name in names))
        opened = min(value for (value,) in cursor.fetchall())
        cursor.execute("SELECT now() AT TIME ZONE 'UTC'")
        now = Month.of(cursor.fetchone()[0])
    return bool(opened >= found.past and now.first_key >= found.past)
