"""Pages of the soft ledger: the filtered list, one document beside what the target holds, and the imports. Services decide and write."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from meshline.kernel import actors, keyset
from meshline.kernel.errors import Invalid, MeshlineError
from meshline.kernel.htmx import page
from meshline.kernel.permissions import reason_against
from ownership.models import User
from syncflows.engine import timelines
from syncflows.engine.enums import StagedAction, StagedStatus
from syncflows.engine.soft import acts, batches, comparing, gates, gating, legal, permissions, selectors
from syncflows.engine.soft.forms import ActForm
from syncflows.engine.soft.models import StagedBatch, StagedDocument
from syncflows.engine.soft.page_filters import MORE, StagedPageFilter
from syncflows.governance import catalog

LIST, DETAIL, IMPORTS = "engine/staged_list.html", "engine/staged_detail.html", "engine/staged_imports.html"
ON_ONE = (StagedAction.PROMOTE, StagedAction.ADOPT, StagedAction.APPROVE, StagedAction.REVOKE)
SAID = {
    StagedAction.PROMOTE: "is promoted; it is written next.", StagedAction.ADOPT: "is being adopted; nothing is written.",
    StagedAction.APPROVE: "is approved.", StagedAction.REVOKE: "is revoked.",
}  # fmt: skip


@login_required
@require_GET
def staged(request: HttpRequest) -> HttpResponse:
    """GET /staged/: what waits, newest first."""
    filterset, rows = filtered(request)
    found = keyset.page(rows, cursor=request.GET.get("cursor", ""))
    context = {
        "page": found, "documents": found.rows, "filterset": filterset, "summary": selectors.summary(rows), "more": MORE, "actions": actions(request),
        "query": request.GET.urlencode(),
    }  # fmt: skip
    return page(request, LIST, context, partial="staged-rows")


@login_required
@require_GET
def imports(request: HttpRequest) -> HttpResponse:
    """GET /staged/imports/: staged imports, newest first, and how each stands."""
    found = keyset.page(StagedBatch.objects.all(), cursor=request.GET.get("cursor", ""), size=25)
    standings = [
        {"standing": standing, "failing": batches.failing(standing)} for standing in batches.standings(found.rows)
    ]
    return page(request, IMPORTS, {"page": found, "imports": standings}, partial="import-rows")


@login_required
@require_http_methods(["GET", "POST"])
def document(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET: one document. POST `action` and `reason`: promote, adopt, approve or revoke it."""
    row = legal.get(public_id)
    if request.method == "GET":
        return _show(request, row, ActForm())
    form, status = ActForm(request.POST), 422
    if form.is_valid():
        try:
            action = _action(request)
            acts.only(acts.perform(action, [row.pk], by=person(request), reason=form.cleaned_data["reason"]))
        except MeshlineError as error:
            form.add_error(None, error.message)
            status = error.http_status
        else:
            messages.success(request, f"{row.reference} {SAID[action]}")
            return redirect("staged-document", public_id)
    return _show(request, legal.get(public_id), form, status=status)


@login_required
@require_POST
def compare(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST: ask the target now, keep the verdict, and show both sides."""
    row = legal.get(public_id)
    permissions.check_user_can_act(person(request), StagedAction.COMPARE)
    try:
        looked = comparing.look(row)
        if row.status == StagedStatus.STAGED:
            _, errors = comparing.compare([row], by=actors.of(request.user))
            for error in errors.values():
                raise error
    except MeshlineError as error:
        messages.error(request, f"{row.system} could not be asked: {error.message}")
        return redirect("staged-document", public_id)
    return _show(request, legal.get(public_id), ActForm(), looked=looked)


def filtered(request: HttpRequest) -> tuple[StagedPageFilter, QuerySet[StagedDocument]]:
    """A filter that cannot be read shows no rows, and says so."""
    filterset = StagedPageFilter(request.GET, queryset=selectors.documents(), request=request)
    return filterset, filterset.qs if filterset.is_valid() else StagedDocument.objects.none()


def actions(request: HttpRequest) -> list[dict[str, str]]:
    """For the bulk bar: each act, and why this person may not."""
    return [
        {"value": action.value, "label": str(action.label), "against": reason_against(permissions.check_user_can_act, request.user, action)}
        for action in (StagedAction.COMPARE, StagedAction.APPROVE, StagedAction.ADOPT, StagedAction.PROMOTE, StagedAction.REVOKE)
    ]  # fmt: skip


def person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _action(request: HttpRequest) -> StagedAction:
    """Raises Invalid."""
    asked = request.POST.get("action", "")
    if asked not in ON_ONE:
        raise Invalid("Press Promote, Adopt, Approve or Revoke.", code="unknown_action")
    return StagedAction(asked)


def _show(
    request: HttpRequest, row: StagedDocument, form: ActForm, *, status: int = 200, looked: comparing.Looked | None = None
) -> HttpResponse:  # fmt: skip
    promotion = permissions.promotion_of(catalog.current(), row.flow)
    judged = gates.judge(promotion, gating.known(row), now=timezone.now()) if promotion else None
    context = {
        "row": row, "form": form, "looked": looked, "is_staged": row.status == StagedStatus.STAGED, "history": timelines.lines(selectors.facts(row)),
        "acts": _against(person(request), row), "gates": judged.gates if judged else (), "compared": _compared(row),
        "compare_against": reason_against(permissions.check_user_can_act, request.user, StagedAction.COMPARE),
        "is_approved": bool(row.approved_fingerprint) and row.approved_fingerprint == row.fingerprint,
    }  # fmt: skip
    return page(request, DETAIL, context, status=status)


def _compared(row: StagedDocument) -> list[dict[str, Any]]:
    return [
        {"field": item["name"], "before": item["theirs"], "after": item["ours"], "changed": True}
        for item in row.difference
    ]


def _against(user: User, row: StagedDocument) -> list[dict[str, Any]]:
    """Each act with the sentence that stands against it, if any."""
    run, definitions = row.run, catalog.current()
    promotion, newer = permissions.promotion_of(definitions, row.flow), legal.newer_of([run]).get(run.pk)
    who = permissions.Approver.of(user, [row])
    found: dict[StagedAction, MeshlineError | None] = {
        StagedAction.PROMOTE: legal.refusal(row, run, action=StagedAction.PROMOTE, newer=newer, gates=promotion),
        StagedAction.ADOPT: legal.refusal(row, run, action=StagedAction.ADOPT, newer=newer, gates=promotion),
        StagedAction.APPROVE: legal.refusal_to_approve(row) or permissions.refusal_to_approve(who, row, promotion),
        StagedAction.REVOKE: legal.refusal_to_revoke(row, run),
    }
    listed = []
    for action, error in found.items():
        against = reason_against(permissions.check_user_can_act, user, action) or (error.message if error else "")
        listed.append({"value": action.value, "label": str(action.label), "against": against})
    return listed
