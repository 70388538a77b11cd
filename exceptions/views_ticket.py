"""One ticket: what happened, why, what it blocks, what to do; the acts on it; its conversation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from exceptions import clock_words, listing, permissions, selectors, ticket_acts, ticket_page, tickets
from exceptions.enums import TicketStatus, View
from exceptions.filters import TicketFilter
from exceptions.forms import CommentForm
from exceptions.models import Ticket, TicketEntry
from exceptions.page_filters import view_of
from exceptions.views_queue import VIEW_LABELS, person_of
from meshline.kernel.errors import MeshlineError
from meshline.kernel.htmx import is_partial, page
from meshline.kernel.permissions import reason_against
from syncflows.engine.archives import months
from syncflows.engine.models import LineageFact

TEMPLATE = "exceptions/ticket_detail.html"
NOT_OF_LIST = ("raw", "cursor", "since")


@login_required
@require_GET
def ticket(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET /tickets/<id>/, with the queue's query, so that `j` and `k` go through the list it was opened from."""
    if is_partial(request) and "raw" in request.GET:
        found = selectors.ticket(public_id)
        return page(request, TEMPLATE, {"ticket": found, **_raw(request, found)}, partial="ticket-raw")
    return show(request, public_id, CommentForm())


def show(request: HttpRequest, public_id: str, comment_form: CommentForm, *, status: int = 200) -> HttpResponse:
    detail, me, now = selectors.detail(public_id), person_of(request), timezone.now()
    found = detail.ticket
    buttons = ticket_acts.buttons(found, detail.approvals, user=me)
    entries, facts = len(detail.entries), len(detail.lineage)
    context = {
        "ticket": found, "archived": "" if found.status != TicketStatus.RESOLVED else months.note(found.run_id or found.event_id), "detail": detail, "now": now, "clock": clock_words.of_ticket(found, now=now), "clock_why": clock_words.why(found),
        "blocked": ticket_page.blocked(found, detail.steps), "buttons": buttons, "has_rare": any(button.rare for button in buttons), "refusals": _refusals(buttons), "trace_lines": ticket_page.lineage(detail),
        "talk": ticket_page.talk(detail.entries), "comment_form": comment_form, "comment_against": reason_against(permissions.check_user_can_comment, me, found),
        "token": ticket_page.token(found, entries, facts, found.run), "is_live": found.status != TicketStatus.RESOLVED,
        "run": found.run, "outlook": ticket_page.outlook(detail),
        **ticket_page.evidence(detail), **ticket_page.people(found), **_place(request, found), **_raw(request, found),
    }  # fmt: skip
    return page(request, TEMPLATE, context, status=status)


@login_required
@require_GET
def news(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET …/news/?since=…: nothing, or that something happened since the page was drawn. The page itself is never changed under a reader's eyes."""
    found = selectors.ticket(public_id)
    if not is_partial(request):
        return redirect("ticket", found.public_id)
    entries = TicketEntry.objects.filter(ticket=found).count()
    about = {"run_id": found.run_id} if found.run_id else {"event_id": found.event_id}
    facts = LineageFact.objects.filter(**about).count() if found.run_id or found.event_id else 0
    now = ticket_page.token(found, entries, facts, found.run)
    last = TicketEntry.objects.filter(ticket=found).order_by("-pk").first()
    context = {
        "ticket": found,
        "token": request.GET.get("since", "")[:80],
        "changed": now != request.GET.get("since"),
        "last": last,
    }
    return page(request, TEMPLATE, context, partial="ticket-news")


@login_required
@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    """GET: what the act will do, and what it asks. POST: do it; a refusal is told above the form, which keeps what was typed."""
    act_ = ticket_acts.get(name)
    found, me = selectors.ticket(public_id), person_of(request)
    steps = list(found.run.steps.all()) if found.run else []
    form = act_.form(request.POST if request.method == "POST" else None, found, steps, me)
    status = 200
    if request.method == "POST":
        status = _tried(form, act_, found, me)
        if status == 200:
            messages.success(request, f"{found.public_id}: {act_.done}")
            return redirect(_address(request, found))
    context = {
        "ticket": found,
        "act": act_,
        "form": form,
        "against": reason_against(act_.check, me, found),
        "back": _address(request, found),
        "query": request.GET.urlencode(),
    }
    return page(request, "exceptions/ticket_form.html", context, partial="ticket-act", status=status)


@login_required
@require_POST
def comment(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST …/comment/"""
    form = CommentForm(request.POST)
    if form.is_valid():
        try:
            tickets.comment(selectors.ticket(public_id), text=form.cleaned_data["text"], by=person_of(request))
        except MeshlineError as error:
            form.add_error(None, error.message)
            return show(request, public_id, form, status=error.http_status)
        return redirect(f"{reverse('ticket', args=[public_id])}?{request.GET.urlencode()}#conversation")
    return show(request, public_id, form, status=422)


def _tried(form: forms.Form, act_: ticket_acts.Act, found: Ticket, me: Any) -> int:
    """200 where it was done; else what to answer, with the reason on the form."""
    if not form.is_valid():
        return 422
    try:
        act_.do(found, form.cleaned_data, me)
    except MeshlineError as error:
        form.add_error(None, error.message)
        return error.http_status
    return 200


def _address(request: HttpRequest, found: Ticket) -> str:
    query = request.GET.urlencode()
    return reverse("ticket", args=[found.public_id]) + (f"?{query}" if query else "")


def _refusals(buttons: list[ticket_acts.Button]) -> list[tuple[str, str]]:
    """Sentences with the buttons they hold back."""
    found: dict[str, list[str]] = {}
    for button in buttons:
        if button.against:
            found.setdefault(button.against, []).append(button.label)
    return [(", ".join(labels), sentence) for sentence, labels in found.items()]


def _raw(request: HttpRequest, found: Ticket) -> dict[str, Any]:
    tabs, shown, content = ticket_page.raw(found, request.GET.get("raw", ""))
    return {"raw_tabs": tabs, "raw_name": shown, "raw_content": content}


def _place(request: HttpRequest, found: Ticket) -> dict[str, Any]:
    """Where the ticket stands in the list it was opened from. Four queries."""
    given = {name: str(value) for name, value in request.GET.items() if name not in NOT_OF_LIST}
    mine = found.owner_id == request.user.pk and found.status != TicketStatus.RESOLVED
    view = view_of(given, default=View.MINE.value if mine else View.OPEN.value)
    given = {**given, "view": view}
    filterset = TicketFilter(given, queryset=Ticket.objects.all(), request=request)
    rows = filterset.qs if filterset.is_valid() else Ticket.objects.none()
    ordering = listing.order_of(given.get("sort", ""), view)
    total = rows.order_by()[: listing.SUMMED_MAX].count()
    inside = rows.filter(pk=found.pk).exists()
    before, after = listing.neighbours(rows, found, ordering=ordering)
    query = urlencode(given)
    return {
        "view_label": VIEW_LABELS.get(view, View(view).label), "list_query": query, "total": total, "inside": inside,
        "place": listing.position(rows, found, ordering=ordering) if inside else 0, "before": before, "after": after,
    }  # fmt: skip
