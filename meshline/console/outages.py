"""What a page answers when a part we need is gone (503), or when a known failure reaches it; never a stack trace. The API answers for itself."""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from kombu.exceptions import OperationalError as BrokerError

from meshline.console import views_errors
from meshline.kernel import jsontext
from meshline.kernel.api import problems
from meshline.kernel.errors import MeshlineError, Unavailable

LOST = (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError, BrokerError, Unavailable)
SHOWN = {403: views_errors.permission_denied, 404: views_errors.page_not_found}
OF_THE_API = "/api/"
FOR_PROGRAMS = (OF_THE_API, "/ingest/")


class OutageMiddleware:
    """Right after authentication: reading who is logged in is the first thing that fails without a database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            bool(request.user.is_authenticated)
        except LOST as error:
            return _unavailable(request, error)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, LOST):
            return _unavailable(request, error)
        if isinstance(error, MeshlineError) and not request.path.startswith(OF_THE_API):
            return SHOWN.get(error.http_status, views_errors.bad_request)(request, error)
        return None


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    """A page for people, a problem document (RFC 9457) for programs."""
    if not request.path.startswith(FOR_PROGRAMS):
        return views_errors.unavailable(request, what=_words(error))
    detail = (
        _words(error)
        or "The database or the broker does not answer. Nothing was accepted. Send it again in a few seconds."
    )
    found = problems.problem(
        status=503, code="unavailable", detail=detail, instance=getattr(request, "request_id", ""), retryable=True
    )
    headers = {"Retry-After": str(problems.RETRY_AFTER_S)}
    return HttpResponse(jsontext.dumps(found), status=503, content_type=problems.CONTENT_TYPE, headers=headers)


def _words(error: Exception) -> str:
    """Driver messages name hosts and users, so only our own words are shown."""
    return str(error) if isinstance(error, Unavailable) else ""
