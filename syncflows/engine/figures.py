"""Figures over runs, exactly as the product defines them; synthetic traffic never counts. Every figure has a link that opens its rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.db.models import Aggregate, Count, Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from syncflows.engine.enums import PARKED, RunStatus
from syncflows.engine.models import CanonicalRecord, Run

DAY, WEEK = timedelta(days=1), timedelta(days=7)
UNFINISHED = (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.RETRYING, *PARKED)
# What came to an end, and what of it came to a good one. What waits for a person has not ended, so it is not a failure.
GOOD = (RunStatus.COMPLETED, RunStatus.IGNORED, RunStatus.SUPERSEDED)
JUDGED = (*GOOD, RunStatus.CANCELLED, RunStatus.COMPENSATED, RunStatus.FAILED, RunStatus.ERRORED)
# Events received so long after they occurred are imported history: how long they lay elsewhere is no latency of ours.
HISTORY_AFTER = timedelta(hours=24)
IMPORTED_WHY = "Events that were received more than 24 hours after they occurred, such as an imported history. How long they lay elsewhere says nothing about these flows."


class Percentile(Aggregate):
    """PostgreSQL's percentile_cont of an interval."""

    function = "percentile_cont"
    output_field = models.DurationField()

    def __init__(self, share: float, expression: models.Expression, **extra: Any) -> None:
        super().__init__(expression, **extra)
        self.template = f"percentile_cont({float(share)}) WITHIN GROUP (ORDER BY %(expressions)s)"


@dataclass(frozen=True)
class StatusCount:
    status: RunStatus
    count: int
    url: str

    @property
    def label(self) -> str:
        return str(self.status.label)


@dataclass(frozen=True)
class Latency:
    """`p50`, `p95`: outcome confirmed minus event occurred. `since_arrival`: p50 of outcome confirmed minus event received.

    `count` runs measured (None of the spans where it is 0), `imported` runs left out as history. `url` opens those measured.
    """

    flow: str
    count: int
    imported: int
    p50: timedelta | None
    p95: timedelta | None
    since_arrival: timedelta | None
    url: str


@dataclass(frozen=True)
class Delivered:
    """Records delivered in a period, and their amounts; amounts of different currencies are never added."""

    count: int
    amounts: list[tuple[str, Decimal, str]]
    url: str


def since(span: timedelta) -> datetime:
    """That long ago, to the second, so that a link says exactly what was counted."""
    return timezone.now().replace(microsecond=0) - span


def runs_url(**filters: object) -> str:
    """The list of runs, narrowed; synthetic traffic and staged imports left out."""
    texts = {name: value.isoformat() if isinstance(value, datetime) else str(value) for name, value in filters.items()}
    return f"{reverse('runs')}?{urlencode({**texts, 'synthetic': 'false', 'imported': 'false'})}"


def real() -> models.QuerySet[Run]:
    """Without synthetic traffic, and without staged imports: history is not live, whatever becomes of it."""
    return Run.objects.filter(event__synthetic=False, batch="")


def unfinished() -> list[StatusCount]:
    """Runs that have not ended, by status; zeros included. One query."""
    rows = real().filter(status__in=UNFINISHED).values_list("status").annotate(number=Count("pk"))
    counts = dict(rows.order_by())
    return [StatusCount(status, counts.get(status, 0), runs_url(status=status.value)) for status in UNFINISHED]


def created_by_flow(after: datetime, *, flow: str = "") -> dict[str, list[StatusCount]]:
    """Runs created since, by flow and status. One query."""
    narrowed = real().filter(created_at__gte=after, **({"flow": flow} if flow else {}))
    rows = narrowed.values_list("flow", "status").annotate(number=Count("pk")).order_by("flow")
    found: dict[str, list[StatusCount]] = {}
    order = [status.value for status in RunStatus]
    for name, status, number in sorted(rows, key=lambda row: (row[0], order.index(row[1]))):
        url = runs_url(flow=name, status=status, since=after)
        found.setdefault(name, []).append(StatusCount(RunStatus(status), number, url))
    return found


def success_rate(counts: Collection[StatusCount]) -> float | None:
    """(Completed, ignored or superseded) / (those, failed, errored, taken back or closed without outcome). None while nothing was judged."""
    judged = sum(item.count for item in counts if item.status in JUDGED)
    return sum(item.count for item in counts if item.status in GOOD) / judged if judged else None


def latencies(after: datetime, *, flow: str = "") -> list[Latency]:
    """Of runs completed since, by flow; imported history is counted, not measured. One query."""
    rows = real().filter(status=RunStatus.COMPLETED, ended_at__gte=after)
    rows = rows.filter(flow=flow) if flow else rows
    whole = F("ended_at") - Coalesce("event__occurred_at", "event__received_at")
    ours = F("ended_at") - F("event__received_at")
    fresh = measured("event__")
    found = rows.values("flow").annotate(
        number=Count("pk", filter=fresh), imported=Count("pk", filter=~fresh), p50=Percentile(0.5, whole, filter=fresh),
        p95=Percentile(0.95, whole, filter=fresh), arrival=Percentile(0.5, ours, filter=fresh),
    )  # fmt: skip
    url = {"status": RunStatus.COMPLETED.value, "ended_after": after, "history": "false"}
    return [
        Latency(row["flow"], row["number"], row["imported"], row["p50"], row["p95"], row["arrival"], runs_url(flow=row["flow"], **url))
        for row in found.order_by("flow")
    ]  # fmt: skip


def measured(prefix: str = "event__") -> Q:
    """That the event came within a day of its occurrence, or does not say when it occurred."""
    occurred = f"{prefix}occurred_at"
    return Q(**{occurred: None}) | Q(**{f"{prefix}received_at__lte": F(occurred) + HISTORY_AFTER})


def delivered_records(after: datetime) -> models.QuerySet[CanonicalRecord]:
    """Records whose delivery the far side confirmed since; however many events spoke of one, it counts once."""
    imported = Exists(Run.objects.filter(pk=OuterRef("run_id")).exclude(batch=""))
    return CanonicalRecord.objects.filter(~imported, delivered_at__gte=after, event__synthetic=False)


def delivered(after: datetime, *, flows: Collection[str]) -> Delivered:
    """Records of these flows delivered since. One query."""
    rows = delivered_records(after).filter(flow__in=flows).values_list("currency")
    found = list(rows.annotate(number=Count("pk"), total=Sum("amount")).order_by("currency"))
    link = {"flow": ",".join(sorted(flows)), "delivered_after": after}
    amounts = [(code, total, runs_url(**link, currency=code)) for code, _, total in found if code and total is not None]
    return Delivered(sum(number for _, number, _ in found), amounts, runs_url(**link))


@dataclass(frozen=True)
class Autonomy:
    """Runs completed with no human action / runs completed."""

    completed: int
    untouched: int
    completed_url: str
    untouched_url: str

    @property
    def share(self) -> float | None:
        return self.untouched / self.completed if self.completed else None


def autonomy(after: datetime) -> Autonomy:
    """Of runs completed since. One query."""
    rows = real().filter(status=RunStatus.COMPLETED, ended_at__gte=after)
    counts = rows.aggregate(completed=Count("pk"), untouched=Count("pk", filter=Q(human_actions=0)))
    link = {"status": RunStatus.COMPLETED.value, "ended_after": after}
    return Autonomy(counts["completed"], counts["untouched"], runs_url(**link), runs_url(**link, untouched="true"))
