"""The page on which a person routes to a flow what arrived before it was there: what it would do, the reason, then the act."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from meshline.kernel.errors import MeshlineError
from meshline.kernel.htmx import page
from meshline.kernel.permissions import reason_against
from ownership.models import User
from syncflows.engine import unrouted as waiting
from syncflows.engine.forms import ReasonForm
from syncflows.governance import catalog
from syncflows.governance.enums import Kind


@login_required
@require_http_methods(["GET", "POST"])
def unrouted(request: HttpRequest, name: str) -> HttpResponse:
    """GET /flows/<name>/unrouted/: how many wait. POST: route them."""
    assert isinstance(request.user, User)
    flow = catalog.current().get(Kind.FLOW, name)
    form, status = ReasonForm(request.POST if request.method == "POST" else None), 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                done = waiting.route(name, by=request.user, reason=form.cleaned_data["reason"])
            except MeshlineError as error:
                form.add_error(None, error.message)
                status = error.http_status
            else:
                messages.success(
                    request, f"{done:,} events are routed to {flow.title}. They are carried in their order."
                )
                return redirect("flow", name)
    against = reason_against(waiting.check_user_can_route, request.user, flow)
    context = {"flow": flow, "preview": waiting.preview(name), "form": form, "against": against, "most": waiting.MOST}
    return page(request, "engine/flow_unrouted.html", context, status=status)
