"""The queue: views, filters, order, paging, CSV, and the choice of what a bulk act is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from exceptions import bulk_jobs, clock_words, listing, selectors
from exceptions.enums import ON_APPROVALS, BulkAction, View
from exceptions.filters import ordering_of, view_condition
from exceptions.models import Ticket
from exceptions.page_filters import TicketPageFilter, view_of
from meshline.kernel import csvtext
from meshline.kernel.errors import Invalid, MeshlineError
from meshline.kernel.htmx import is_partial, page
from meshline.kernel.keyset import SIZE
from meshline.kernel.permissions import reason_against
from ownership.models import User
from ownership.permissions import Ability, check_user_can

CSV_HEADER = (
    "ticket", "class", "reason", "status", "severity", "what happened", "customer", "amount", "currency", "flow", "key", "queue", "owner", "times seen",
    "opened", "due", "first touched", "resolved", "resolution", "resolved by", "correlation id",
)  # fmt: skip
VIEW_LABELS = {View.BREACHING.value: "Breaching in 1 h", View.ALL.value: "Everything"}
SORTABLE = (("amount", "-amount"), ("due", "due"))
ABILITY_OF = {BulkAction.ACCEPT: Ability.ACCEPT_EXCEPTIONS, BulkAction.REPLAY: Ability.FIX_AND_REPLAY}
BUTTONS = ((BulkAction.ASSIGN, "a"), (BulkAction.ACCEPT, "c"), (BulkAction.RESOLVE, ""), (BulkAction.REPLAY, "r"))


def person_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def asked(request: HttpRequest, values: Any = None) -> dict[str, str]:
    """The query with a view always said: one's own tickets (all open ones for who has none), unless something else is asked for."""
    given = {name: str(value) for name, value in (request.GET if values is None else values).items()}
    view = view_of(given, default="")
    return {**given, "view": view or _own_view(request).value}


def _own_view(request: HttpRequest) -> View:
    mine = Ticket.objects.filter(view_condition(View.MINE, user=request.user))
    return View.MINE if mine.exists() else View.OPEN


def chosen(request: HttpRequest, query: dict[str, str]) -> tuple[TicketPageFilter, QuerySet[Ticket]]:
    """A filter that cannot be read finds nothing, and says so."""
    filterset = TicketPageFilter(query, queryset=selectors.tickets(), request=request)
    return filterset, filterset.qs if filterset.is_valid() else Ticket.objects.none()


@login_required
@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    """GET /queue/: what waits for people, most urgent first; renewed every ten seconds."""
    query, now = asked(request), timezone.now()
    filterset, rows = chosen(request, query)
    ordering = listing.order_of(query.get("sort", ""), query["view"])
    found = listing.page(rows, ordering=ordering, cursor=query.get("cursor", ""))
    for ticket in found.rows:
        ticket.reading = clock_words.of_ticket(ticket, now=now)
        ticket.clock_why = clock_words.why(ticket)
    queues = selectors.queue_counts()
    context = {
        "page": found, "tickets": found.rows, "filterset": filterset, "summary": listing.summary(rows), "now": now, "view": query["view"],
        "heading": _heading(query, queues), "views": _views(request, query), "queues": _queues(query, queues), "sorts": _sorts(query),
        "row_query": urlencode({name: value for name, value in query.items() if value and name != "cursor"}), "buttons": _buttons(request),
        "partial": is_partial(request), "live_url": f"{request.path}?{urlencode(query)}",
    }  # fmt: skip
    return page(request, "exceptions/ticket_list.html", context, partial="queue-live")


@login_required
@require_GET
def queue_csv(request: HttpRequest) -> HttpResponseBase:
    """GET /queue/export.csv: every ticket that matches the filter, in the order of the page."""
    query = asked(request)
    _, rows = chosen(request, query)
    ordering = listing.order_of(query.get("sort", ""), query["view"])
    return csvtext.response("tickets", CSV_HEADER, _cells(listing.ordered(rows, ordering)))


@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """POST /queue/bulk/: fix what is selected (or all that the filter finds) and go to the preview of the act."""
    try:
        job = bulk_jobs.make(_action(request), _idents(request), by=person_of(request))
    except MeshlineError as error:
        messages.error(request, error.message)
        return redirect(f"{reverse('queue')}?{urlencode(asked(request))}")
    return redirect("queue-bulk", job.public_id)


def _action(request: HttpRequest) -> BulkAction:
    action = request.POST.get("action", "")
    if action not in BulkAction.values or action in ON_APPROVALS:
        raise Invalid(
            "Choose what to do with the selected tickets: assign, accept, replay or resolve.", code="unknown_action"
        )
    return BulkAction(action)


def _idents(request: HttpRequest) -> list[str]:
    if not request.POST.get("all_matching"):
        return request.POST.getlist("ticket")[:SIZE]
    _, rows = chosen(request, asked(request))
    return list(rows.order_by("pk").values_list("public_id", flat=True)[: bulk_jobs.MOST + 1])


def _heading(query: dict[str, str], queues: list[selectors.QueueCount]) -> str:
    title = next((item.title for item in queues if item.name == query.get("queue")), query.get("queue", ""))
    view = VIEW_LABELS.get(query["view"], View(query["view"]).label)
    return f"{title} · {view}" if title and query["view"] != View.OPEN else title or str(view)


def _views(request: HttpRequest, query: dict[str, str]) -> list[dict[str, Any]]:
    counts = selectors.view_counts(request.user)
    return [
        {
            "label": VIEW_LABELS.get(view.value, view.label), "url": f"{reverse('queue')}?view={view.value}", "count": counts.get(view.value),
            "active": view.value == query["view"] and not query.get("queue"),
        }
        for view in View
    ]  # fmt: skip


def _queues(query: dict[str, str], queues: list[selectors.QueueCount]) -> list[dict[str, Any]]:
    return [
        {
            "label": item.title,
            "url": f"{reverse('queue')}?{urlencode({'view': View.OPEN.value, 'queue': item.name})}",
            "count": item.live,
            "active": item.name == query.get("queue"),
        }
        for item in queues
    ]


def _sorts(query: dict[str, str]) -> dict[str, dict[str, str]]:
    """Per column the order it has, and the one that its head asks for next."""
    found = {}
    for name, first in SORTABLE:
        now = query.get("sort", "") or ("due" if ordering_of(query["view"])[0] == "due_at" else "")
        other = name if first.startswith("-") else f"-{name}"
        said = {name: "ascending", f"-{name}": "descending"}.get(now, "")
        found[name] = {"aria": said, "next": other if now == first else first}
    return found


def _buttons(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "action": action.value, "label": "Preview replay" if action == BulkAction.REPLAY else action.label, "key": key,
            "against": reason_against(check_user_can, request.user, ABILITY_OF.get(action, Ability.WORK_TICKETS)), "primary": action == BulkAction.REPLAY,
        }
        for action, key in BUTTONS
    ]  # fmt: skip


def _cells(rows: QuerySet[Ticket]) -> Iterator[tuple[Any, ...]]:
    for ticket in rows.iterator(chunk_size=2000):
        yield (
            ticket.public_id, ticket.exception_class, ticket.reason, ticket.status, ticket.severity, ticket.message, ticket.customer, ticket.amount,
            ticket.currency, ticket.flow, ticket.canonical_key, ticket.queue, ticket.owner or "", ticket.times_seen, ticket.opened_at, ticket.due_at,
            ticket.first_touch_at, ticket.resolved_at, ticket.resolution, ticket.resolved_by, ticket.correlation_id,
        )  # fmt: skip
