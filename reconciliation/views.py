"""Pages of reconciliation: comparisons per flow, one comparison with its rows, one discrepancy with both sides. Services decide and write."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from meshline.kernel import actors, keyset
from meshline.kernel.errors import MeshlineError
from meshline.kernel.htmx import page
from meshline.kernel.permissions import reason_against
from ownership.permissions import Ability, check_user_can
from reconciliation import recheck as rechecks
from reconciliation import runs, selectors, sides
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus, ReconciliationStatus
from reconciliation.forms import StartForm
from reconciliation.models import Discrepancy, ReconciliationRun
from reconciliation.page_filters import DiscrepancyPageFilter, RunPageFilter
from syncflows.governance import catalog


@login_required
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """GET /reconciliation/: each flow that can be compared, and the comparisons made, newest first."""
    states = selectors.flow_states(catalog.current())
    listed = RunPageFilter(request.GET, queryset=selectors.runs(), request=request)
    found = keyset.page(listed.qs, cursor=request.GET.get("cursor", ""), size=25)
    context = {
        "states": [_state(state) for state in states], "page": found, "runs": [_row(run) for run in found.rows], "flow": request.GET.get("flow", ""),
        "refused": _refused(request), "is_running": any(state.last and state.last.status == ReconciliationStatus.RUNNING for state in states),
    }  # fmt: skip
    return page(request, "reconciliation/run_list.html", context, partial="reconciliation-rows")


@login_required
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """POST /reconciliation/start/: ask a worker for a comparison."""
    check_user_can(request.user, Ability.RECONCILE)
    form = StartForm(request.POST)
    if not form.is_valid():
        problems = "; ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items())
        messages.error(request, f"No comparison was started. {problems}")
        return redirect("reconciliation")
    try:
        run = runs.ask(
            flow=form.cleaned_data["flow"], window_days=form.cleaned_data["window_days"], by=actors.of(request.user)
        )
    except MeshlineError as error:
        messages.error(request, error.message)
        return redirect("reconciliation")
    messages.success(
        request, f"{run.flow} is being compared with {run.system}. This page shows the result as soon as it is there."
    )
    return redirect("reconciliation-run", run.public_id)


@login_required
@require_GET
def run(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET /reconciliation/runs/<id>/: counts that open exactly their rows."""
    found = selectors.run(public_id)
    listed, rows = _filtered(request, {"run": public_id})
    shown = keyset.page(rows, cursor=request.GET.get("cursor", ""))
    here = reverse("reconciliation-run", args=[public_id])
    kinds = [{**kind, "url": f"{here}?{urlencode({'kind': kind['kind']})}"} for kind in selectors.kind_counts(found)]
    context = {
        **_row(found), "kinds": kinds, "page": shown, "discrepancies": shown.rows, "total": rows.count(), "filterset": listed, "kind": request.GET.get("kind", ""),
        "here": here, "is_running": found.status == ReconciliationStatus.RUNNING, "is_failed": found.status == ReconciliationStatus.FAILED,
    }  # fmt: skip
    return page(request, "reconciliation/run_detail.html", context, partial="comparison")


@login_required
@require_GET
def discrepancies(request: HttpRequest) -> HttpResponse:
    """GET /reconciliation/discrepancies/: all of them, newest first."""
    listed, rows = _filtered(request, {})
    shown = keyset.page(rows, cursor=request.GET.get("cursor", ""))
    context = {"page": shown, "discrepancies": shown.rows, "total": rows.count(), "filterset": listed}
    return page(request, "reconciliation/discrepancy_list.html", context, partial="discrepancy-rows")


@login_required
@require_GET
def discrepancy(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET /reconciliation/discrepancies/<id>/: both sides field by field, and what happened."""
    found = rechecks.find(public_id)
    context = {
        "found": found, "rows": sides.field_rows(found), "documents": sides.documents(found), "history": sides.timeline(selectors.history(found)),
        "facts": sides.facts(found), "refused": _refused(request), "is_open": found.status == DiscrepancyStatus.OPEN, "run_id": (found.ours or {}).get("run"),
    }  # fmt: skip
    return page(request, "reconciliation/discrepancy_detail.html", context)


@login_required
@require_POST
def recheck(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST /reconciliation/discrepancies/<id>/recheck/: look at both sides now."""
    check_user_can(request.user, Ability.RECONCILE)
    try:
        answer = rechecks.recheck(public_id, by=actors.of(request.user))
        messages.add_message(request, messages.SUCCESS if answer.agrees else messages.WARNING, answer.message)
    except MeshlineError as error:
        if error.http_status == 404:
            raise
        messages.error(request, f"It could not be checked: {error.message}")
    return redirect("discrepancy", public_id)


def _filtered(request: HttpRequest, fixed: dict[str, str]) -> tuple[DiscrepancyPageFilter, QuerySet[Discrepancy]]:
    """A filter that cannot be read shows no rows, and says so."""
    asked = {**request.GET.dict(), **fixed}
    filterset = DiscrepancyPageFilter(asked, queryset=selectors.discrepancies(), request=request)
    return filterset, filterset.qs if filterset.is_valid() else Discrepancy.objects.none()


def _row(found: ReconciliationRun) -> dict[str, Any]:
    return {
        "run": found,
        "sums": selectors.sums(found),
        "drift": selectors.drift_percent(found),
        "kinds": selectors.kind_counts(found),
        "beside": selectors.beside(found),
    }


def _state(state: selectors.FlowState) -> dict[str, Any]:
    form = StartForm(initial={"flow": state.name}, auto_id=f"id_{state.name}_%s")
    form.fields["window_days"].widget.attrs["placeholder"] = str(state.window_days)
    kinds = [(kind, DiscrepancyKind(kind).label, count) for kind, count in state.open_by_kind.items()]
    return {"state": state, "form": form, "open_kinds": kinds, **(_row(state.last) if state.last else {})}


def _refused(request: HttpRequest) -> str:
    return reason_against(check_user_can, request.user, Ability.RECONCILE)
