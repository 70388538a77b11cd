"""One act on many: what it would do, the reason, then results record by record; the same for tickets and approvals."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from exceptions import bulk_jobs
from exceptions.enums import BulkAction
from exceptions.forms import BulkForm
from exceptions.models import BulkJob
from exceptions.views_queue import person_of
from meshline.kernel.errors import MeshlineError
from meshline.kernel.htmx import page

TEMPLATE = "partials/bulk_job.html"
PROBLEMS_SHOWN = 200
OPTION_NAMES = ("to", "resolution")
WORDS = {
    BulkAction.ASSIGN: ("Assign", "assigned", "They change hands; clocks run on."),
    BulkAction.ACCEPT: (
        "Accept",
        "accepted",
        "Each record goes on with exactly what its ticket shows, cleared in your name.",
    ),
    BulkAction.REPLAY: (
        "Replay",
        "replayed",
        "Each record runs again as it is; steps that are done stay done. What fails again opens a new ticket.",
    ),
    BulkAction.RESOLVE: (
        "Resolve",
        "resolved",
        "Each ticket ends; a record that waits for it is closed without outcome.",
    ),
    BulkAction.ACKNOWLEDGE: ("Take in work", "taken", "Each ticket is marked as in work."),
    BulkAction.GRANT: ("Approve", "approved", "Each record goes on with exactly the figures that were shown."),
    BulkAction.REFUSE: ("Refuse", "refused", "Each record and its ticket are closed with your reason."),
}


@login_required
@require_http_methods(["GET", "POST"])
def job(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET: the preview of a draft, the progress of one under way, the results of one that ended. POST: start it."""
    found = bulk_jobs.get(public_id, by=person_of(request))
    if found.asked_at:
        bulk_jobs.nudge(found)
        return page(request, TEMPLATE, _results(found), partial="bulk-live")
    if request.method == "POST":
        return _start(request, found)
    return page(request, TEMPLATE, _draft(request, found, _form(request, found)), partial="bulk-preview")


@login_required
@require_POST
def again(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST: those that were refused, as a new draft."""
    new = bulk_jobs.again(bulk_jobs.get(public_id, by=person_of(request)))
    return redirect(address(new), new.public_id)


def address(found: BulkJob) -> str:
    return "approvals-bulk" if bulk_jobs.is_on_approvals(found) else "queue-bulk"


def _start(request: HttpRequest, found: BulkJob) -> HttpResponse:
    form, status = _form(request, found), 422
    if form.is_valid():
        options = {name: form.cleaned_data[name] for name in OPTION_NAMES if form.cleaned_data.get(name)}
        try:
            bulk_jobs.ask(found, reason=form.cleaned_data.get("reason", ""), options=options)
        except MeshlineError as error:
            form.add_error(None, error.message)
            status = error.http_status
        else:
            return redirect(address(found), found.public_id)
    return page(request, TEMPLATE, _draft(request, found, form), status=status)


def _form(request: HttpRequest, found: BulkJob) -> BulkForm:
    if request.method == "POST":
        return BulkForm(request.POST, action=found.action, me=found.by)
    given = {name: request.GET[name] for name in (*OPTION_NAMES, "reason") if name in request.GET}
    return BulkForm(None, action=found.action, me=found.by, initial=given)


def _draft(request: HttpRequest, found: BulkJob, form: BulkForm) -> dict[str, Any]:
    values = request.POST if request.method == "POST" else request.GET
    context = {"form": form, "problem": "", **_head(found)}
    try:
        preview = bulk_jobs.preview(found, bulk_jobs.options_of(dict(values.items())))
    except MeshlineError as error:
        return {**context, "problem": error.message}
    amounts = sorted(preview.amounts.items())
    gone = len(found.idents) - preview.total
    return {**context, "preview": preview, "amounts": amounts, "refusals": preview.refusals.most_common(), "gone": gone}


def _results(found: BulkJob) -> dict[str, Any]:
    problems = [item for item in found.results if item["problem"]]
    done, total = len(found.results), len(found.idents)
    return {
        **_head(found), "asked": True, "problems": problems[:PROBLEMS_SHOWN], "problem_count": len(problems), "done": done - len(problems),
        "handled": done, "total": total, "gone": total - done if found.ended_at else 0, "share": done / total if total else 1, "now": timezone.now(),
        "done_idents": [item["id"] for item in found.results if not item["problem"]][:PROBLEMS_SHOWN],
    }  # fmt: skip


def _head(found: BulkJob) -> dict[str, Any]:
    verb, participle, effect = WORDS[BulkAction(found.action)]
    on_approvals = bulk_jobs.is_on_approvals(found)
    return {
        "job": found, "verb": verb, "participle": participle, "effect": effect, "noun": "approval" if on_approvals else "ticket",
        "list_label": "Approvals" if on_approvals else "Queue", "again_url_name": "bulk-again",
        "list_url_name": "approvals" if on_approvals else "queue", "record_url_name": "approval" if on_approvals else "ticket", "job_url_name": address(found),
    }  # fmt: skip
