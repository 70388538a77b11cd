"""Pages of the acts on runs: one run's act with its reason, and many runs' from choice to results. All work without JavaScript."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from meshline.kernel.errors import Invalid, MeshlineError, Missing
from meshline.kernel.htmx import page
from meshline.kernel.keyset import SIZE
from meshline.kernel.permissions import reason_against
from ownership.models import User
from syncflows.engine.control import acts, bulk_jobs, checks
from syncflows.engine.control.enums import RunAct
from syncflows.engine.control.forms import ActForm
from syncflows.engine.control.models import RunBulk
from syncflows.engine.control.words import WORDS
from syncflows.engine.models import Run
from syncflows.engine.page_filters import RunPageFilter

BULK = "partials/bulk_job.html"
PROBLEMS_SHOWN = 200


@login_required
@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    """GET: what the act will do, and what it asks. POST: do it; a refusal is told above the form, which keeps what was typed."""
    wanted, run = _act(name), _run(public_id)
    form = ActForm(request.POST if request.method == "POST" else None, act=wanted)
    status = 200
    if request.method == "POST":
        status = _tried(form, wanted, run, _person(request))
        if status == 200:
            messages.success(request, f"{run.public_id} is {WORDS[wanted].participle}.")
            return redirect("trace-record", run.public_id)
    against = reason_against(checks.check_user_can_act, request.user, run, wanted, checks.Known.of([run]))
    context = {"run": run, "act": wanted, "words": WORDS[wanted], "form": form, "against": against}
    return page(request, "engine/run_act.html", context, status=status)


@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """POST /runs/bulk/: fix what is selected (or all that the filter finds) and go to the preview of the act."""
    try:
        job = bulk_jobs.make(_act(request.POST.get("action", "")), _idents(request), by=_person(request))
    except MeshlineError as error:
        messages.error(request, error.message)
        return redirect(f"{reverse('runs')}?{request.GET.urlencode()}")
    return redirect("runs-bulk", job.public_id)


@login_required
@require_http_methods(["GET", "POST"])
def job(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET: the preview of a draft, the progress of one under way, the results of one that ended. POST: start it."""
    found = bulk_jobs.get(public_id, by=_person(request))
    if found.asked_at or found.cancelled_at:
        return page(request, BULK, _results(found), partial="bulk-live")
    if request.method == "POST":
        return _start(request, found)
    form = ActForm(None, act=found.action, initial={"restart_budget": found.restart_budget})
    return page(request, BULK, _draft(found, form), partial="bulk-preview")


@login_required
@require_POST
def again(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST: those that were refused, as a new draft."""
    return redirect("runs-bulk", bulk_jobs.again(bulk_jobs.get(public_id, by=_person(request))).public_id)


@login_required
@require_POST
def cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST: do no more of it."""
    try:
        bulk_jobs.cancel(bulk_jobs.get(public_id, by=_person(request)))
    except MeshlineError as error:
        messages.error(request, error.message)
    return redirect("runs-bulk", public_id)


def _tried(form: forms.Form, wanted: RunAct, run: Run, me: User) -> int:
    """200 where it was done; else what to answer, with the reason on the form."""
    if not form.is_valid():
        return 422
    try:
        acts.do(wanted, run.pk, by=me, **form.cleaned_data)
    except MeshlineError as error:
        form.add_error(None, error.message)
        return error.http_status
    return 200


def _start(request: HttpRequest, found: RunBulk) -> HttpResponse:
    form, status = ActForm(request.POST, act=found.action), 422
    if form.is_valid():
        try:
            bulk_jobs.ask(found, **form.cleaned_data)
        except MeshlineError as error:
            form.add_error(None, error.message)
            status = error.http_status
        else:
            return redirect("runs-bulk", found.public_id)
    return page(request, BULK, _draft(found, form), status=status)


def _draft(found: RunBulk, form: ActForm) -> dict[str, Any]:
    preview = bulk_jobs.preview(found)
    return {
        "form": form, "problem": "", **_head(found), "preview": preview, "amounts": sorted(preview.amounts.items()),
        "refusals": preview.refusals.most_common(), "gone": len(found.idents) - preview.total,
    }  # fmt: skip


def _results(found: RunBulk) -> dict[str, Any]:
    problems = [item for item in found.results if item["problem"]]
    done, total = len(found.results), len(found.idents)
    return {
        **_head(found), "asked": True, "problems": problems[:PROBLEMS_SHOWN], "problem_count": len(problems), "done": done - len(problems),
        "handled": done, "total": total, "gone": total - done if found.ended_at else 0, "share": done / total if total else 1, "now": timezone.now(),
        "done_idents": [item["id"] for item in found.results if not item["problem"]][:PROBLEMS_SHOWN],
    }  # fmt: skip


def _head(found: RunBulk) -> dict[str, Any]:
    act = RunAct(found.action)
    return {
        "job": found, "verb": act.label, "participle": WORDS[act].participle, "effect": WORDS[act].effect, "noun": "run", "list_label": "Runs",
        "list_url_name": "runs", "record_url_name": "trace-record", "job_url_name": "runs-bulk", "again_url_name": "runs-bulk-again",
        "cancel_url_name": "runs-bulk-cancel",
    }  # fmt: skip


def _act(name: str) -> RunAct:
    if name not in RunAct.values:
        raise Invalid(f"A run has no act {name!r}. There are: {', '.join(RunAct.values)}.", code="unknown_action")
    return RunAct(name)


def _run(public_id: str) -> Run:
    found = Run.objects.select_related("event").filter(public_id=public_id).first()
    if found is None:
        raise Missing(f"There is no run {public_id}. It may be mistyped; search by order number or customer instead.")
    return found


def _idents(request: HttpRequest) -> list[str]:
    if not request.POST.get("all_matching"):
        return request.POST.getlist("run")[:SIZE]
    filterset = RunPageFilter(request.GET, queryset=Run.objects.all(), request=request)
    rows = filterset.qs if filterset.is_valid() else Run.objects.none()
    return list(rows.order_by("pk").values_list("public_id", flat=True)[: bulk_jobs.MOST + 1])


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
