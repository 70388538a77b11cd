"""Pages of runs: the filtered list with its CSV, the search, and the timeline of one transaction. They only read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET

from meshline.kernel import csvtext, keyset
from meshline.kernel.errors import Missing
from meshline.kernel.htmx import page
from syncflows.engine import budgets, repair, searching, selectors, timelines, undos
from syncflows.engine.archives import months
from syncflows.engine.control import words
from syncflows.engine.differences import payload_diff
from syncflows.engine.models import Event, LineageFact, Run
from syncflows.engine.page_filters import RunPageFilter
from syncflows.governance import catalog

TOTAL_COUNTED_MAX = 10_000
RELATED_SHOWN = 20
SEARCH_PAGE = 25
# Ids that other apps' pages show, by prefix.
PAGES_OF_IDS = {"tkt_": "ticket", "apr_": "approval", "stg_": "staged-document"}
CSV_HEADER = (
    "run", "flow", "status", "reason", "key", "customer", "amount", "currency", "outcome", "human actions", "correlation id", "created", "ended",
)  # fmt: skip


@login_required
@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    """GET /runs/: the filtered list, newest first."""
    filterset, rows = _filtered(request)
    found = keyset.page(rows, cursor=request.GET.get("cursor", ""))
    counted = rows.order_by()[: TOTAL_COUNTED_MAX + 1].count()
    total = f"{TOTAL_COUNTED_MAX:,}+" if counted > TOTAL_COUNTED_MAX else f"{counted:,}"
    context = {
        "page": found,
        "runs": found.rows,
        "filterset": filterset,
        "total": total,
        "matching": counted,
        "acts": words.bar(request.user),
    }
    return page(request, "engine/run_list.html", context, partial="run-rows")


@login_required
@require_GET
def runs_csv(request: HttpRequest) -> StreamingHttpResponse:
    """GET /runs/export.csv: every run that matches the filter."""
    _, rows = _filtered(request)
    return csvtext.response("runs", CSV_HEADER, _cells(rows))


@login_required
@require_GET
def trace(request: HttpRequest) -> HttpResponse:
    """GET /trace/?q=…: straight to the record where there is only one, else the list."""
    text = request.GET.get("q", "").replace("\0", "").strip()
    if not text:
        return page(request, "engine/trace_search.html", {"recent": list(selectors.runs().order_by("-pk")[:10])})
    direct = _page_of_id(text)
    if direct:
        return redirect(direct)
    found = searching.find(text)
    listed = keyset.page(found.runs, cursor=request.GET.get("cursor", ""), size=SEARCH_PAGE)
    only = _only(listed, found.events)
    if only and not request.GET.get("cursor"):
        return redirect(only)
    return page(request, "engine/trace_search.html", {"q": text, "found": found, "page": listed}, partial="trace-rows")


@login_required
@require_GET
def trace_record(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET /trace/<run>/: all that is known of one run."""
    rows = Run.objects.select_related("event", "flow_version__definition").defer("flow_version__document")
    run = rows.filter(public_id=public_id).first()
    if run is None:
        raise Missing(f"There is no run {public_id}. It may be mistyped; search by order number or customer instead.")
    about = Q(run_id=run.pk) | Q(run_id=None)
    facts = list(LineageFact.objects.filter(about, event_id=run.event_id).order_by("pk"))
    steps = list(run.steps.prefetch_related("attempts"))
    definitions = catalog.current()
    context = {
        "run": run, "archived": months.note(run.pk), "event": run.event, "steps": steps, "lines": timelines.lines(facts, run=run, steps=steps), "related": _related(run),
        "repair": repair.of_run(run, steps, definitions),
        "tickets": list(run.tickets.select_related("queue", "owner").order_by("-pk")), "corrected": _corrected(run),
        "outlook": budgets.outlook(run, budgets.next_of(undos.current(steps) if run.compensation else steps), definitions), "acts": words.buttons(run, request.user),
    }  # fmt: skip
    return page(request, "engine/trace_record.html", context)


@login_required
@require_GET
def trace_event(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET /trace/event/<event>/: an event that no flow carries, or the choice among its runs."""
    event = Event.objects.filter(public_id=public_id).first()
    if event is None:
        raise Missing(
            f"There is no event {public_id}. It may be mistyped; search by its key or correlation id instead."
        )
    facts = list(LineageFact.objects.filter(event_id=event.pk).order_by("pk"))
    context = {
        "event": event, "archived": months.note(event.pk), "lines": timelines.lines(facts), "runs": list(selectors.runs().filter(event=event).order_by("pk")),
        "tickets": list(event.tickets.select_related("queue", "owner").order_by("-pk")),
    }  # fmt: skip
    return page(request, "engine/trace_event.html", context)


def _filtered(request: HttpRequest) -> tuple[RunPageFilter, QuerySet[Run]]:
    """A filter that cannot be read shows no rows, and says so."""
    filterset = RunPageFilter(request.GET, queryset=selectors.runs(), request=request)
    return filterset, filterset.qs if filterset.is_valid() else Run.objects.none()


def _cells(rows: QuerySet[Run]) -> Iterator[tuple[Any, ...]]:
    for run in rows.order_by("-pk").iterator(chunk_size=2000):
        yield (
            run.public_id, run.flow, run.status, run.status_reason, run.canonical_key, run.customer, run.amount, run.currency, run.outcome,
            run.human_actions, run.correlation_id, run.created_at, run.ended_at,
        )  # fmt: skip


def _page_of_id(text: str) -> str:
    """The page of a ticket's, approval's, run's or event's public id, where `text` is one."""
    word = text.lower()
    for prefix, name in PAGES_OF_IDS.items():
        if word.startswith(prefix):
            return _address(name, word)
    if word.startswith("run_") and Run.objects.filter(public_id=word).exists():
        return reverse("trace-record", args=[word])
    if word.startswith("evt_") and Event.objects.filter(public_id=word, runs__isnull=True).exists():
        return reverse("trace-event", args=[word])
    return ""


def _address(name: str, ident: str) -> str:
    try:
        return reverse(name, args=[ident])
    except NoReverseMatch:
        return ""


def _only(listed: keyset.Page, events: list[Event]) -> str:
    if len(listed.rows) == 1 and not events:
        return reverse("trace-record", args=[listed.rows[0].public_id])
    if len(events) == 1 and not listed.rows:
        return reverse("trace-event", args=[events[0].public_id])
    return ""


def _related(run: Run) -> list[Run]:
    """Other runs of the same record or the same business transaction, newest first."""
    of_record = Run.objects.filter(lane=run.lane)
    of_transaction = Run.objects.filter(event_id__in=selectors.named(run.correlation_id, "correlation_id"))
    newest = (
        rows.exclude(pk=run.pk).order_by("-pk").values("pk")[:RELATED_SHOWN] for rows in (of_record, of_transaction)
    )
    same = [row["pk"] for rows in newest for row in rows]
    return list(selectors.runs().filter(pk__in=same).order_by("-pk")[:RELATED_SHOWN])


def _corrected(run: Run) -> list[dict[str, Any]]:
    """What people changed of the payload, for `partials/diff.html`."""
    changes = payload_diff(run.event.payload, run.payload) if run.payload is not None else []
    return [
        {"field": item["path"], "before": item["before"], "after": item["after"], "changed": True} for item in changes
    ]
