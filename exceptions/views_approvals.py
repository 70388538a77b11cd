"""Approvals: those that wait for this person first; one approval with the figures it is bound to, and the decision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from exceptions import approvals as services
from exceptions import bulk_jobs, clock_words, figures, listing, permissions, selectors
from exceptions.enums import ON_APPROVALS, ApprovalStatus, BulkAction, Decision, View
from exceptions.forms import DecisionForm
from exceptions.models import Approval
from exceptions.page_filters import ApprovalPageFilter
from exceptions.views_queue import person_of
from meshline.kernel.errors import Invalid, MeshlineError
from meshline.kernel.htmx import is_partial, page
from meshline.kernel.keyset import SIZE
from meshline.kernel.permissions import reason_against
from ownership.permissions import Ability, check_user_can

LIST, DETAIL = "exceptions/approval_list.html", "exceptions/approval_detail.html"
LABELS = {View.MINE.value: "Waiting for you", View.OPEN.value: "All waiting", View.ALL.value: "All, decided too"}
BY_DUE, BY_ASKED = ("due_at", "id"), ("-asked_at", "-id")
QUARTER = timedelta(days=90)
COUNTED_MAX = 10_000


@login_required
@require_GET
def approvals(request: HttpRequest) -> HttpResponse:
    """GET /approvals/: most urgent first; renewed every ten seconds."""
    counts = _counts(request)
    query, now = _asked(request, counts), timezone.now()
    filterset, rows = _chosen(request, query)
    found = listing.page(rows, ordering=_order(query), cursor=query.get("cursor", ""))
    for approval in found.rows:
        approval.reading = clock_words.of_approval(approval, now=now)
        approval.given = figures.given(approval.snapshot)
    total = rows.order_by()[: COUNTED_MAX + 1].count()
    context = {
        "page": found, "approvals": found.rows, "filterset": filterset, "views": _views(query, counts), "heading": LABELS[query["view"]], "view": query["view"],
        "total": min(total, COUNTED_MAX), "capped": total > COUNTED_MAX, "now": now, "row_query": urlencode({k: v for k, v in query.items() if v and k != "cursor"}),
        "against": reason_against(check_user_can, request.user, Ability.DECIDE_APPROVALS), "live_url": request.get_full_path(), "partial": is_partial(request),
    }  # fmt: skip
    return page(request, LIST, context, partial="approvals-live")


@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """POST /approvals/bulk/: fix what is selected and go to the preview of the decision."""
    try:
        action = request.POST.get("action", "")
        if action not in ON_APPROVALS:
            raise Invalid("Choose what to do with the selected approvals: approve or refuse.", code="unknown_action")
        job = bulk_jobs.make(BulkAction(action), _idents(request), by=person_of(request))
    except MeshlineError as error:
        messages.error(request, error.message)
        return redirect(f"{reverse('approvals')}?{request.GET.urlencode()}")
    return redirect("approvals-bulk", job.public_id)


@login_required
@require_http_methods(["GET", "POST"])
def approval(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET: what is asked, with its figures. POST `decision` and `reason`: decide."""
    found = selectors.approval(public_id)
    if is_partial(request) and "since" in request.GET:
        return page(request, DETAIL, {"approval": found, "since": request.GET["since"][:20]}, partial="approval-news")
    if request.method == "POST":
        return _decided(request, found)
    return _show(request, found, DecisionForm())


def _decided(request: HttpRequest, found: Approval) -> HttpResponse:
    form, status = DecisionForm(request.POST), 422
    decide = {Decision.APPROVE.value: services.grant, Decision.REFUSE.value: services.refuse}.get(
        request.POST.get("decision", "")
    )
    if form.is_valid() and decide is None:
        form.add_error(None, "Press Approve or Refuse.")
    elif form.is_valid() and decide is not None:
        try:
            after = decide(found, by=person_of(request), reason=form.cleaned_data["reason"])
        except MeshlineError as error:
            form.add_error(None, error.message)
            status, found = error.http_status, selectors.approval(found.public_id)
        else:
            messages.success(request, f"{after.get_status_display()}: {found.message}")
            return redirect("approval", found.public_id)
    return _show(request, found, form, status=status)


def _show(request: HttpRequest, found: Approval, form: DecisionForm, *, status: int = 200) -> HttpResponse:
    me, now, document = person_of(request), timezone.now(), found.snapshot
    is_pending = found.status == ApprovalStatus.PENDING
    given = figures.given(document) or figures.given(found.bound)
    context = {
        "approval": found, "form": form, "now": now, "is_pending": is_pending, "clock": clock_words.of_approval(found, now=now), "given": given,
        "against": reason_against(permissions.check_user_can_decide, me, found) if is_pending else "", "lines": figures.lines(document) or figures.lines(found.bound),
        "known": figures.known(document), "before": _before(found, now), "said": _said(document),
        "bound": figures.fields(found.bound), "bound_lists": [name for name, value in found.bound.items() if isinstance(value, dict | list)],
        "rule": found.ticket.context.get("verdict", {}), **_place(request, found),
    }  # fmt: skip
    return page(request, DETAIL, context, status=status)


def _said(document: Any) -> str:
    """The requester's own reason, where the source sends one."""
    names = ("discount_reason", "justification", "requester_reason", "reason", "note", "comment")
    return next(
        (
            str(document[name])
            for name in names
            if isinstance(document, dict) and isinstance(document.get(name), str) and document[name].strip()
        ),
        "",
    )


def _before(found: Approval, now: Any) -> int:
    """Exceptions granted to this customer in 90 days. One query, by index."""
    if not found.customer:
        return 0
    rows = Approval.objects.filter(
        customer=found.customer, status=ApprovalStatus.APPROVED, decided_at__gte=now - QUARTER
    )
    return rows.exclude(pk=found.pk)[:100].count()


def _place(request: HttpRequest, found: Approval) -> dict[str, Any]:
    """Where it stands among those that wait for this person."""
    rows = Approval.objects.filter(status=ApprovalStatus.PENDING, team__members=request.user.pk)
    inside = found.status == ApprovalStatus.PENDING and rows.filter(pk=found.pk).exists()
    before, after = listing.neighbours(rows, found, ordering=BY_DUE)
    place = listing.position(rows, found, ordering=BY_DUE) if inside else 0
    return {"before_id": before, "after_id": after, "total": rows.count(), "place": place, "next_id": after or before}


def _asked(request: HttpRequest, counts: dict[str, int]) -> dict[str, str]:
    given = {name: str(value) for name, value in request.GET.items()}
    default = View.MINE.value if counts[View.MINE.value] else View.OPEN.value
    return {**given, "view": given["view"] if given.get("view") in LABELS else default}


def _chosen(request: HttpRequest, query: dict[str, str]) -> tuple[ApprovalPageFilter, QuerySet[Approval]]:
    filterset = ApprovalPageFilter(query, queryset=selectors.approvals(), request=request)
    return filterset, filterset.qs if filterset.is_valid() else Approval.objects.none()


def _idents(request: HttpRequest) -> list[str]:
    if not request.POST.get("all_matching"):
        return request.POST.getlist("approval")[:SIZE]
    _, rows = _chosen(request, _asked(request, _counts(request)))
    return list(rows.order_by("pk").values_list("public_id", flat=True)[: bulk_jobs.MOST + 1])


def _order(query: dict[str, str]) -> tuple[str, ...]:
    if query.get("sort") in ("amount", "-amount"):
        return listing.SORTS[query["sort"]]
    return BY_ASKED if query["view"] == View.ALL else BY_DUE


def _counts(request: HttpRequest) -> dict[str, int]:
    pending = Approval.objects.filter(status=ApprovalStatus.PENDING)
    teams = list(person_of(request).teams.values_list("pk", flat=True))
    found = pending.aggregate(open=Count("pk"), mine=Count("pk", filter=Q(team__in=teams)))
    return {View.MINE.value: found["mine"], View.OPEN.value: found["open"]}


def _views(query: dict[str, str], counts: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "url": f"{reverse('approvals')}?view={name}",
            "count": counts.get(name),
            "active": name == query["view"],
        }
        for name, label in LABELS.items()
    ]
