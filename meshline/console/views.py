"""The console's own pages: overview, ownership, profile."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from meshline.console import overview as overview_page
from meshline.console.forms import ProfileForm
from meshline.kernel import csvtext
from meshline.kernel.htmx import page
from ownership import gaps, matrix
from ownership.models import Team, User
from syncflows.governance import catalog


@login_required
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """GET /: the state of everything now; the live part asks for itself again."""
    context = {**overview_page.now(), "now": timezone.now()}
    return page(request, "console/overview.html", context, partial="overview-now")


@login_required
@require_GET
def ownership(request: HttpRequest) -> HttpResponse:
    """GET /ownership/: who answers for what, and where nobody does."""
    cells = matrix.of_flows(_flows())
    context = {"cells": cells, "gaps": [*gaps.of_cells(cells), *gaps.of_teams()], "teams": list(_teams())}
    return page(request, "console/ownership.html", context)


@login_required
@require_GET
def ownership_csv(request: HttpRequest) -> StreamingHttpResponse:
    """GET /ownership/matrix.csv"""
    return csvtext.response("ownership", matrix.CSV_HEADER, matrix.csv_rows(matrix.of_flows(_flows())))


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """GET and POST /profile/: one's own name and time zone."""
    person = User.objects.get(username=request.user.get_username())
    form = ProfileForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, f"Saved. Times are shown in {person.time_zone}.")
        return redirect("profile")
    return page(request, "console/profile.html", {"form": form, "person": person}, status=422 if form.errors else 200)


def _flows() -> list[str]:
    return overview_page.flow_names(catalog.current())


def _teams() -> list[Team]:
    return list(Team.objects.select_related("on_call").prefetch_related("members").order_by("title"))
