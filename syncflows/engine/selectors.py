"""What the API reads of events and runs, in a known number of queries."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from syncflows.engine.models import Event, LineageFact, Run, TraceKey


def events() -> QuerySet[Event]:
    """For lists: without payload and raw text."""
    return Event.objects.defer("payload", "raw")


def runs() -> QuerySet[Run]:
    """For lists: without payload and canonical document."""
    return Run.objects.select_related("event", "flow_version").defer(
        "payload", "canonical", "event__payload", "event__raw", "flow_version__document"
    )


def events_in_full() -> QuerySet[Event]:
    return Event.objects.prefetch_related(Prefetch("runs", queryset=runs().order_by("pk")))


def runs_in_full() -> QuerySet[Run]:
    rows = Run.objects.select_related("event", "flow_version").prefetch_related("steps__attempts")
    return rows.defer("event__raw", "flow_version__document")


def named(value: str, kind: str) -> QuerySet[TraceKey, int]:
    """Row numbers of the events that have this name, to filter by."""
    return TraceKey.objects.filter(value=value, kind=kind).values_list("event_id", flat=True)


def facts_of_run(run: Run) -> QuerySet[LineageFact]:
    """In their order."""
    return LineageFact.objects.filter(event_id=run.event_id, run_id=run.pk).order_by("pk")


def facts_of_event(event: Event) -> QuerySet[LineageFact]:
    """In their order, those of its runs among them."""
    return LineageFact.objects.filter(event_id=event.pk).order_by("pk")
