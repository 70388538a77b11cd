"""The error pages; must not touch the database, which may be what failed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from meshline.kernel.errors import MeshlineError


def explain(error: Exception | None) -> str:
    """The sentence of an error that was raised for people; nothing for any other."""
    if isinstance(error, MeshlineError):
        return str(error)
    if isinstance(error, PermissionDenied) and error.args:
        return str(error.args[0])
    return ""


def show_problem(request: HttpRequest, *, status: int, what: str = "") -> HttpResponse:
    """Render `<status>.html` without context processors: they query."""
    context = {"problem_what": what, "request_id": getattr(request, "request_id", "")}
    return HttpResponse(render_to_string(f"{status}.html", context), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return show_problem(request, status=400, what=explain(exception))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return show_problem(request, status=403, what=explain(exception))


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return show_problem(request, status=404, what=explain(exception))


def server_error(request: HttpRequest) -> HttpResponse:
    return show_problem(request, status=500)


def unavailable(request: HttpRequest, *, what: str = "") -> HttpResponse:
    return show_problem(request, status=503, what=what)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """For CSRF_FAILURE_VIEW. The reason is for the log, not for the person."""
    what = "The page was open too long or cookies are blocked, so the form could not be trusted. Nothing was changed."
    return show_problem(request, status=403, what=what)
