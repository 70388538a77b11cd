"""Pages of systems: their health in our eyes, what they can be asked, their last errors; pause, resume, check now."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from meshline.audit import ledger
from meshline.kernel import actors
from meshline.kernel.errors import MeshlineError, Missing
from meshline.kernel.htmx import page
from meshline.kernel.permissions import reason_against
from ownership.enums import SystemState
from ownership.models import System
from ownership.permissions import Ability, check_user_can
from syncflows.engine import health, system_pages
from syncflows.engine.connections import connection
from syncflows.engine.forms import ReasonForm
from syncflows.governance import catalog
from syncflows.governance.catalog import Versioned
from syncflows.governance.enums import Kind


@login_required
@require_GET
def systems(request: HttpRequest) -> HttpResponse:
    """GET /systems/"""
    found, calls = catalog.current().by_kind.get(Kind.SYSTEM, {}), system_pages.calls_of_a_day()
    rows = [
        {"system": row, **vars(calls.get(row.name, system_pages.Calls())), "limits": system_pages.limits(found.get(row.name))}
        for row in System.objects.order_by("title")
    ]  # fmt: skip
    return page(request, "engine/system_list.html", {"rows": rows}, partial="system-rows")


@login_required
@require_GET
def system(request: HttpRequest, name: str) -> HttpResponse:
    """GET /systems/<name>/"""
    return _show(request, _system(name), ReasonForm())


@login_required
@require_POST
def pause(request: HttpRequest, name: str) -> HttpResponse:
    """POST /systems/<name>/pause/: no write goes to it until somebody resumes it. Takes a reason."""
    check_user_can(request.user, Ability.OPERATE_SYSTEMS)
    row, form = _system(name), ReasonForm(request.POST)
    if not form.is_valid():
        return _show(request, row, form, status=422)
    reason, by = form.cleaned_data["reason"], actors.of(request.user)
    with transaction.atomic():
        health.pause(name, reason=reason, actor=by)
        ledger.append(act="system.paused", by=by, object_kind="system", object_id=name, reason=reason)
    messages.success(request, f"{row.title} is paused. Runs wait for it; nothing is lost.")
    return redirect("system", name)


@login_required
@require_POST
def resume(request: HttpRequest, name: str) -> HttpResponse:
    """POST /systems/<name>/resume/: writes go on; the first call shows whether it is well. Takes a reason."""
    check_user_can(request.user, Ability.OPERATE_SYSTEMS)
    row, form = _system(name), ReasonForm(request.POST)
    if not form.is_valid():
        return _show(request, row, form, status=422)
    with transaction.atomic():
        reason, by = form.cleaned_data["reason"], actors.of(request.user)
        health.resume(name, reason=reason, actor=by)
        ledger.append(act="system.resumed", by=by, object_kind="system", object_id=name, reason=reason)
    messages.success(request, f"{row.title} is resumed. What waited for it goes on within seconds.")
    return redirect("system", name)


@login_required
@require_POST
def check(request: HttpRequest, name: str) -> HttpResponse:
    """POST /systems/<name>/check/: ask it now. Changes no state: the engine judges by its own calls."""
    check_user_can(request.user, Ability.OPERATE_SYSTEMS)
    row = _system(name)
    try:
        answer = connection(_definition(name)).health()
    except MeshlineError as error:
        messages.error(request, f"{row.title} could not be asked: {error.message}")
        return redirect("system", name)
    took = f" in {answer.latency_ms} ms" if answer.latency_ms is not None else ""
    level = messages.SUCCESS if answer.ok else messages.ERROR
    messages.add_message(
        request, level, f"{row.title} {'is well' if answer.ok else 'is not well'}{took}: {answer.detail}"
    )
    return redirect("system", name)


def _show(request: HttpRequest, row: System, form: ReasonForm, *, status: int = 200) -> HttpResponse:
    definition = catalog.current().by_kind.get(Kind.SYSTEM, {}).get(row.name)
    context: dict[str, Any] = {
        "system": row, "definition": definition, "form": form, "is_paused": row.state == SystemState.PAUSED,
        "refused": reason_against(check_user_can, request.user, Ability.OPERATE_SYSTEMS), "attempts": system_pages.recent_errors(row.name),
        "settings": system_pages.settings(definition) if definition else [], **_operations(definition),
    }  # fmt: skip
    return page(request, "engine/system_detail.html", context, status=status)


def _operations(definition: Versioned | None) -> dict[str, Any]:
    """A definition that cannot work is shown with what is wrong, not as an error page."""
    if definition is None:
        return {"operations": []}
    try:
        return {"operations": system_pages.operations(definition)}
    except MeshlineError as error:
        return {"operations": [], "misconfigured": error.message}


def _system(name: str) -> System:
    row = System.objects.filter(name=name).first()
    if row is None:
        raise Missing(f"There is no system {name}. Systems come from definitions: `manage.py flows apply DIR`.")
    return row


def _definition(name: str) -> Versioned:
    return catalog.current().get(Kind.SYSTEM, name)
