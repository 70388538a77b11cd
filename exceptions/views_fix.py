"""Fix and replay: edit the payload, see field by field what changes, say why, choose where to start."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from exceptions import fixing, payload_edits, permissions, selectors
from exceptions.forms import ReplayForm
from exceptions.models import Ticket
from exceptions.views_queue import person_of
from meshline.kernel.errors import Conflict, MeshlineError
from meshline.kernel.htmx import is_partial, page
from meshline.kernel.permissions import reason_against

TEMPLATE = "exceptions/ticket_fix.html"
FIELDS, JSON = "fields", "json"
REPLAY = "replay"


@login_required
@require_http_methods(["GET", "POST"])
def fix(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET the editor; POST `do=preview` shows what would change, `do=replay` does it. What was typed is never lost."""
    found, me = selectors.ticket(public_id), person_of(request)
    steps = list(found.run.steps.all()) if found.run else []
    current = fixing.current_payload(found)
    context = _editor(request, found, current)
    context |= {
        "form": ReplayForm(None, steps=steps),
        "against": reason_against(permissions.check_user_can_fix, me, found),
    }
    if request.method != "POST":
        return page(request, TEMPLATE, context)
    return _posted(request, found, current, steps, context)


def _posted(
    request: HttpRequest, found: Ticket, current: Any, steps: list[Any], context: dict[str, Any]
) -> HttpResponse:
    doing = request.POST.get("do") == REPLAY and not is_partial(request)
    context["form"] = form = ReplayForm(request.POST if doing else None, steps=steps, initial=request.POST.dict())
    status = 200
    try:
        _check_base(request, current)
        payload = _payload(request, current)
        context["preview"] = preview = fixing.preview(found, payload)
        context["rows"] = [
            {
                "field": item["path"],
                "before": item["before"],
                "after": item["after"],
                "changed": True,
                "note": item["kind"],
            }
            for item in preview.changes
        ]
        if doing and form.is_valid():
            step = form.cleaned_data.get("from_step") or None
            fixing.fix_and_replay(
                found, payload=payload, reason=form.cleaned_data["reason"], by=person_of(request), from_step=step
            )
            messages.success(
                request,
                f"{found.public_id}: replayed with {len(preview.changes)} field(s) corrected. A new failure would open a new ticket.",
            )
            return redirect(reverse("ticket", args=[found.public_id]))
        status = 422 if doing else 200
    except MeshlineError as error:
        context["problem"], status = error, error.http_status
        context["field_problems"] = {
            item["field"]: item["message"]
            for item in error.context.get("errors", [])
            if isinstance(item, dict) and "field" in item
        }
    return page(request, TEMPLATE, context, partial="fix-preview", status=200 if is_partial(request) else status)


def _editor(request: HttpRequest, found: Ticket, current: Any) -> dict[str, Any]:
    """The editor filled with what was typed, or with the payload as it is now."""
    values = request.POST if request.method == "POST" else request.GET
    fields = payload_edits.inputs(current)
    mode = JSON if values.get("as") == JSON or not fields else FIELDS
    typed = request.POST if request.method == "POST" else {}
    arrived = found.event.raw if found.event and current is None else ""
    return {
        "ticket": found, "mode": mode, "inputs": [(item, str(typed.get(item.control, item.value))) for item in fields],
        "text": str(typed.get("payload", payload_edits.text_of(current) if current is not None else arrived)),
        "base": str(typed.get("base", payload_edits.print_of(current))), "nested": isinstance(current, dict) and len(fields) < len(current),
        "arrived": arrived, "has_fields": bool(fields), "violations": _listed(found), "query": request.GET.urlencode(),
    }  # fmt: skip


def _payload(request: HttpRequest, current: Any) -> Any:
    if request.POST.get("as") == FIELDS:
        return payload_edits.from_inputs(current, request.POST.dict())
    return payload_edits.from_text(request.POST.get("payload", ""))


def _check_base(request: HttpRequest, current: Any) -> None:
    if request.POST.get("base") and request.POST["base"] != payload_edits.print_of(current):
        raise Conflict(
            "Somebody else corrected this record since you opened it. Your text is still here: open the page anew beside it and compare.",
            code="changed_meanwhile",
        )


def _listed(found: Ticket) -> list[str]:
    """What the contract said, in words."""
    listed = found.context.get("violations") or []
    return [f"{item.get('path') or 'payload'}: {item.get('message', '')}" for item in listed if isinstance(item, dict)]
