"""Pages of systems: their health in our eyes, what they can be asked, their last errors; their limits and circuits; pause, resume, open, close, check now."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from meshline.kernel.errors import MeshlineError
from meshline.kernel.htmx import page
from meshline.kernel.permissions import reason_against
from ownership.enums import Circuit, SystemState
from ownership.models import System
from ownership.permissions import Ability, check_user_can
from syncflows.engine import intake_figures, system_acts, system_pages
from syncflows.engine.connections import connection
from syncflows.engine.enums import SystemAct
from syncflows.engine.forms import CircuitForm, ReasonForm
from syncflows.engine.limits import circuit, meter
from syncflows.engine.limits import figures as limit_figures
from syncflows.governance import catalog
from syncflows.governance.catalog import Versioned
from syncflows.governance.enums import Kind

CHANGES_SHOWN = 20
LOST = "Calls go on. Until Valkey is back, each worker process keeps to one part in {} of the limits, and circuits go by the database."


@login_required
@require_GET
def systems(request: HttpRequest) -> HttpResponse:
    """GET /systems/"""
    found, calls = catalog.current().by_kind.get(Kind.SYSTEM, {}), system_pages.calls_of_a_day()
    listed = list(System.objects.order_by("title"))
    numbers = limit_figures.of(found, listed)
    rows = [
        {"system": row, **vars(calls.get(row.name, system_pages.Calls())), "limits": system_pages.limits(found.get(row.name)), "numbers": numbers.get(row.name)}
        for row in listed
    ]  # fmt: skip
    return page(request, "engine/system_list.html", {"rows": rows}, partial="system-rows")


@login_required
@require_GET
def system(request: HttpRequest, name: str) -> HttpResponse:
    """GET /systems/<name>/"""
    return _show(request, system_acts.find(name), ReasonForm())


@login_required
@require_POST
def act(request: HttpRequest, name: str, what: str) -> HttpResponse:
    """POST /systems/<name>/pause/ · resume/ · open/ · close/: a person's word on its calls. Takes a reason."""
    check_user_can(request.user, Ability.OPERATE_SYSTEMS)
    row, form, done = system_acts.find(name), ReasonForm(request.POST), SystemAct(what)
    if not form.is_valid():
        return _show(request, row, form, status=422)
    system_acts.act(name, done, reason=form.cleaned_data["reason"], by=request.user)
    messages.success(request, system_acts.SAID[done].format(row.title))
    return redirect("system", name)


@login_required
@require_POST
def check(request: HttpRequest, name: str) -> HttpResponse:
    """POST /systems/<name>/check/: ask it now. Changes no state: the engine judges by its own calls."""
    check_user_can(request.user, Ability.OPERATE_SYSTEMS)
    row = system_acts.find(name)
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
    found = catalog.current().by_kind.get(Kind.SYSTEM, {})
    definition = found.get(row.name)
    context: dict[str, Any] = {
        "system": row, "definition": definition, "form": form, "is_paused": row.state == SystemState.PAUSED, "is_closed": row.circuit == Circuit.CLOSED,
        "numbers": limit_figures.of(found, [row]).get(row.name), "changes": circuit.changes(row.name, limit=CHANGES_SHOWN), "circuit_form": CircuitForm(), "lost_text": LOST.format(meter.sharing()),
        "refused": reason_against(check_user_can, request.user, Ability.OPERATE_SYSTEMS), "attempts": system_pages.recent_errors(row.name),
        "settings": system_pages.settings(definition) if definition else [], "intake": intake_figures.rows(definition) if definition else [], **_operations(definition),
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


def _definition(name: str) -> Versioned:
    return catalog.current().get(Kind.SYSTEM, name)
