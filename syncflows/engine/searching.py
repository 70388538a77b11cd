"""Finds records by whatever a person has of them: order number, customer, correlation id, ids of either side. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet, Subquery

from syncflows.engine.models import Event, Run, TraceKey
from syncflows.engine.selectors import runs

QUERY_LENGTH_MAX = 200
EVENTS_SHOWN = 20


@dataclass(frozen=True)
class Found:
    """`runs` newest first, not yet read; `events` that no flow carries; `how` says what the text was taken for."""

    runs: QuerySet[Run]
    events: list[Event]
    how: str


def find(text: str) -> Found:
    """By exact name of any kind; where nothing has that name, customers and keys that contain it."""
    wanted = text.replace("\0", "").strip()[:QUERY_LENGTH_MAX]
    spellings = {wanted, wanted.upper(), wanted.lower()}
    keys = TraceKey.objects.filter(value__in=spellings)
    kinds = sorted(set(keys.order_by().values_list("kind", flat=True).distinct()[:10]))
    if kinds:
        return _named(keys, kinds)
    direct = runs().filter(Q(public_id__in=spellings) | Q(event__public_id__in=spellings))
    if direct.exists() or Event.objects.filter(public_id__in=spellings).exists():
        return Found(direct, _loose(Event.objects.filter(public_id__in=spellings)), "id")
    like = runs().filter(Q(customer__icontains=wanted) | Q(canonical_key__istartswith=wanted))
    return Found(like, [], "customer or key, in part")


def _named(keys: QuerySet[TraceKey], kinds: list[str]) -> Found:
    events = Subquery(keys.order_by().values("event_id"))
    how = ", ".join(kind.replace("_", " ").replace(":", " ") for kind in kinds)
    return Found(runs().filter(event_id__in=events), _loose(Event.objects.filter(pk__in=events)), how)


def _loose(events: QuerySet[Event]) -> list[Event]:
    return list(events.filter(runs__isnull=True).defer("payload", "raw").order_by("-pk")[:EVENTS_SHOWN])
