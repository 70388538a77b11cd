"""From the queue to a replay: the runs of the tickets that its filter finds. Only reads; `engine.replays` asks, previews and carries."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET

from exceptions import views_queue
from syncflows.engine.replays.forms import ReplayForm
from syncflows.engine.replays.selection import IDS_MAX
from syncflows.engine.replays.views import shown_form


@login_required
@require_GET
def replay(request: HttpRequest) -> HttpResponse:
    """GET /queue/replay/?<filters of the queue>: the form, with the runs of these tickets."""
    query = views_queue.asked(request)
    _, rows = views_queue.chosen(request, query)
    found = rows.filter(run__isnull=False, subject__startswith="run:").order_by("run_id")
    ids = list(found.values_list("run__public_id", flat=True)[: IDS_MAX + 1])
    if not ids or len(ids) > IDS_MAX:
        said = (
            f"More than {IDS_MAX:,} tickets match. Narrow the filter, or replay from the list of runs."
            if ids
            else "No ticket that matches is about a run."
        )
        messages.error(request, said)
        return redirect(f"{reverse('queue')}?{request.GET.urlencode()}")
    return shown_form(request, ReplayForm(initial={"ids": ",".join(dict.fromkeys(ids))}))
