"""Pages of replays: the list, asking for one, its preview and progress, one record of it. Services decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from meshline.kernel import csvtext, keyset
from meshline.kernel.errors import MeshlineError, Missing
from meshline.kernel.htmx import page
from meshline.kernel.permissions import reason_against
from ownership.models import User
from ownership.permissions import Ability, check_user_can
from syncflows.engine.models import ReplayJob
from syncflows.engine.replays import carrying, jobs, selection, selectors
from syncflows.engine.replays.enums import OVER, REST, WORKING, ReplayOutcome, ReplayStatus, ReplayVerdict
from syncflows.engine.replays.forms import ReplayForm

SIZE = 50
PAGES_MAX = 20_000
Act = Callable[..., ReplayJob]
ACTS: dict[str, Act] = {"start": jobs.start, "pause": jobs.pause, "resume": jobs.resume, "cancel": jobs.cancel}


@login_required
@require_GET
def replays(request: HttpRequest) -> HttpResponse:
    """GET /replays/: newest first."""
    found = keyset.page(selectors.jobs(), cursor=request.GET.get("cursor", ""))
    context = {"page": found, "jobs": found.rows, "against": _against(request)}
    return page(request, "engine/replay_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """GET /replays/new/?<filters of the list of runs>, or ?run=run_…: the form. POST: make it and begin its preview."""
    if request.method == "POST":
        form = ReplayForm(request.POST)
        return _ask(request, form)
    ids = ",".join(request.GET.getlist("run"))
    return shown_form(request, ReplayForm(initial={"ids": ids}) if ids else ReplayForm())


def shown_form(
    request: HttpRequest, form: ReplayForm, *, filters: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    """The form with what it would be about. Other apps bring ids of their own lists in its `initial`."""
    chosen, problem, total = _chosen(request, form, filters), "", 0
    try:
        total = selection.count(selection.check(chosen))
    except MeshlineError as error:
        problem = error.message
    listed = sorted(chosen.get("filter", {}).items())
    context = {
        "form": form, "total": total, "problem": problem, "filters": listed, "ids": chosen.get("ids", []), "against": _against(request), "query": urlencode(listed),
    }  # fmt: skip
    return page(request, "engine/replay_form.html", context, status=status)


@login_required
@require_GET
def replay(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET /replays/rpl_…/: preview, progress, results; renews itself while somebody works on it."""
    job = jobs.get(public_id)
    carrying.nudge(job)
    return page(request, "engine/replay_detail.html", _detail(request, job), partial="replay-live")


@login_required
@require_POST
def act(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    """POST /replays/rpl_…/start|pause|resume|cancel|again/."""
    job = jobs.get(public_id)
    try:
        if name == "again":
            return redirect("replay", jobs.again(job, by=_person(request)).public_id)
        if name not in ACTS:
            raise Missing(f"A replay has no act {name!r}. There are: {', '.join(ACTS)}, again.")
        ACTS[name](job, by=_person(request))
    except Missing:
        raise
    except MeshlineError as error:
        messages.error(request, error.message)
    return redirect("replay", job.public_id)


@login_required
@require_GET
def record(request: HttpRequest, public_id: str, run_id: str) -> HttpResponse:
    """GET /replays/rpl_…/records/run_…/: what would be written, beside what the target holds."""
    job = jobs.get(public_id)
    item = selectors.item(job, run_id)
    steps = [{**step, "rows": _rows(step.get("difference", []))} for step in item.steps]
    changes = [{**change, "field": change["path"], "changed": True} for change in item.detail.get("corrected", [])]
    lost = [{**change, "field": change["path"], "changed": True} for change in item.detail.get("overwrites", [])]
    context = {"job": job, "item": item, "run": item.run, "steps": steps, "corrected": changes, "overwrites": lost}
    return page(request, "engine/replay_record.html", context)


@login_required
@require_GET
def records_csv(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """GET /replays/rpl_…/records.csv."""
    job = jobs.get(public_id)
    return csvtext.response(f"replay-{job.public_id}", selectors.CSV_HEADER, selectors.cells(job))


def _ask(request: HttpRequest, form: ReplayForm) -> HttpResponse:
    if form.is_valid():
        try:
            job = jobs.ask(
                _chosen(request, form, None), form.how, by=_person(request), reason=form.cleaned_data["reason"]
            )
        except MeshlineError as error:
            form.add_error(None, error.message)
            return shown_form(request, form, status=error.http_status)
        return redirect("replay", job.public_id)
    return shown_form(request, form, status=422)


def _chosen(request: HttpRequest, form: ReplayForm, filters: dict[str, str] | None) -> dict[str, Any]:
    if form.chosen_ids:
        return {"ids": form.chosen_ids}
    return {"filter": filters or selection.from_query(request.GET.dict())}


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _against(request: HttpRequest) -> str:
    return reason_against(check_user_can, request.user, Ability.FIX_AND_REPLAY)


def _detail(request: HttpRequest, job: ReplayJob) -> dict[str, Any]:
    found = selectors.counts(job)
    verdict, outcome = request.GET.get("verdict", ""), request.GET.get("outcome", "")
    number = _page_number(request.GET.get("page", ""))
    rows = selectors.items(job, verdict=verdict, outcome=outcome).defer("canonical", "steps")
    shown = list(rows[(number - 1) * SIZE : number * SIZE + 1])
    looked = job.total - found["verdicts"].get("", 0)
    over = sum(
        count
        for name, count in found["outcomes"].items()
        if name not in (ReplayOutcome.WAITING, ReplayOutcome.UNDER_WAY)
    )
    under_way = found["outcomes"].get(ReplayOutcome.UNDER_WAY, 0)
    return {
        "job": job, "items": shown[:SIZE], "verdict": verdict, "outcome": outcome, "number": number, "more": len(shown) > SIZE, "looked": looked, "over": over,
        "under_way": under_way, "live": job.status in WORKING or bool(under_way), "verdict_tabs": _tabs("verdict", ReplayVerdict.choices, found["verdicts"], verdict),
        "outcome_tabs": _tabs("outcome", ReplayOutcome.choices, found["outcomes"], outcome) if job.started_at or job.status in OVER else [],
        "runnable": jobs.runnable(job) if job.status == ReplayStatus.PREVIEWED else 0, "left": sum(found["outcomes"].get(name, 0) for name in REST),
        "newcomers": selection.newcomers(job) if job.status == ReplayStatus.PREVIEWED else 0, "against": _against(request), "is_over": job.status in OVER,
        "chosen": _in_words(job), "first": (number - 1) * SIZE + 1, "last": (number - 1) * SIZE + len(shown[:SIZE]),
    }  # fmt: skip


def _tabs(name: str, choices: list[tuple[str, Any]], found: dict[str, int], active: str) -> list[dict[str, Any]]:
    tabs = [{"label": "All", "url": "?", "active": not active, "count": sum(found.values())}]
    return tabs + [
        {"label": label, "url": f"?{name}={value}", "active": active == value, "count": found[value]}
        for value, label in choices
        if found.get(value)
    ]


def _in_words(job: ReplayJob) -> str:
    chosen = job.selection
    if "ids" in chosen:
        listed = ", ".join(chosen["ids"][:3])
        return listed if len(chosen["ids"]) <= 3 else f"{listed} and {len(chosen['ids']) - 3:,} more"
    if "job" in chosen:
        return f"the rest of {chosen['job']}"
    return ", ".join(f"{name} {value}" for name, value in sorted(chosen["filter"].items()))


def _rows(difference: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "field": row["path"], "before": row["theirs"], "after": row["ours"], "changed": row["kind"] == "changed",
            "note": "" if row["kind"] == "changed" else "not shown by the target",
        }
        for row in difference
    ]  # fmt: skip


def _page_number(text: str) -> int:
    return max(1, min(int(text), PAGES_MAX)) if text.isdecimal() and len(text) < 8 else 1
