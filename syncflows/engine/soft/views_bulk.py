"""One act on many staged documents: choose, see what it would do, give the reason, watch it, stop it, try the rest again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from meshline.kernel.errors import Invalid, MeshlineError
from meshline.kernel.htmx import page
from syncflows.engine.enums import BulkState, StagedAction, StagedVerdict
from syncflows.engine.soft import bulk, selectors
from syncflows.engine.soft.forms import BulkForm
from syncflows.engine.soft.models import StagedBulk
from syncflows.engine.soft.views import filtered, person

TEMPLATE = "engine/staged_bulk.html"
PROBLEMS_SHOWN = 200
WORDS = {
    StagedAction.PROMOTE: ("Promote", "promoted", "Each is looked up in its target, then written by the usual protocol; nothing twice."),
    StagedAction.ADOPT: ("Adopt", "adopted", "What the target has already becomes ours, with its number. Nothing is written."),
    StagedAction.APPROVE: ("Approve", "approved", "Each approval is bound to exactly the document as it is now."),
    StagedAction.REVOKE: ("Revoke", "revoked", "Each record is closed, unwritten, with your reason."),
    StagedAction.COMPARE: ("Compare", "compared", "The target is asked what it holds. Nothing is written."),
}  # fmt: skip


@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """POST /staged/bulk/: fix what is selected, or what the filter finds, and go to the preview."""
    try:
        found = bulk.make(_action(request), _rows(request), by=person(request))
    except MeshlineError as error:
        messages.error(request, error.message)
        return redirect(f"{reverse('staged')}?{request.GET.urlencode()}")
    return redirect("staged-bulk", found.public_id)


@login_required
@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET: the preview of a draft, the progress of one under way, the results of one that ended. POST: start it."""
    found = bulk.get(public_id, by=person(request))
    if found.asked_at:
        return page(request, TEMPLATE, _progress(found), partial="staged-live")
    form = BulkForm(
        request.POST if request.method == "POST" else None, needs_reason=found.action != StagedAction.COMPARE
    )
    if request.method == "POST" and form.is_valid():
        try:
            bulk.ask(found, reason=form.cleaned_data.get("reason", ""), by=person(request))
        except MeshlineError as error:
            form.add_error(None, error.message)
        else:
            return redirect("staged-bulk", public_id)
    return page(request, TEMPLATE, _draft(found, form), status=422 if request.method == "POST" else 200)


@login_required
@require_POST
def cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST: stop it."""
    try:
        bulk.cancel(bulk.get(public_id, by=person(request)), by=person(request))
    except MeshlineError as error:
        messages.error(request, error.message)
    return redirect("staged-bulk", public_id)


@login_required
@require_POST
def again(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST: those that were left, as a new draft."""
    try:
        new = bulk.again(bulk.get(public_id, by=person(request)), by=person(request))
    except MeshlineError as error:
        messages.error(request, error.message)
        return redirect("staged-bulk", public_id)
    return redirect("staged-bulk", new.public_id)


def _action(request: HttpRequest) -> StagedAction:
    asked = request.POST.get("action", "")
    if asked not in StagedAction.values:
        raise Invalid("Choose what to do with the selected documents.", code="unknown_action")
    return StagedAction(asked)


def _rows(request: HttpRequest) -> Any:
    if request.POST.get("all_matching"):
        return filtered(request)[1]
    idents = [ident.replace("\0", "") for ident in request.POST.getlist("document")]
    return selectors.documents().filter(public_id__in=idents)


def _draft(found: StagedBulk, form: BulkForm) -> dict[str, Any]:
    seen = bulk.preview(found)
    labels = {**dict(StagedVerdict.choices), "": "Not compared"}
    return {
        **_head(found), "form": form, "preview": seen, "amounts": sorted(seen.amounts.items()), "refusals": seen.refusals.most_common(20),
        "verdicts": [(labels.get(value, value), number) for value, number in seen.verdicts.most_common()],
    }  # fmt: skip


def _progress(found: StagedBulk) -> dict[str, Any]:
    told = bulk.counts(found)
    left = found.items.filter(state=BulkState.LEFT).select_related("document").order_by("pk")
    handled = found.total - told[BulkState.WAITING]
    return {
        **_head(found), "asked": True, "done": told[BulkState.DONE], "left": told[BulkState.LEFT], "waiting": told[BulkState.WAITING], "handled": handled,
        "problems": list(left[:PROBLEMS_SHOWN]),
    }  # fmt: skip


def _head(found: StagedBulk) -> dict[str, Any]:
    verb, participle, effect = WORDS[StagedAction(found.action)]
    return {"bulk": found, "verb": verb, "participle": participle, "effect": effect}
