"""What a page answers when a part we need is gone (503), or when a known failure reaches it; never a stack trace. The API answers for itself."""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from kombu.exceptions import OperationalError as BrokerError

from meshline.console import views_errors
from meshline.kernel.errors import MeshlineError, Unavailable

LOST = (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError, BrokerError, Unavailable)
SHOWN = {403: views_errors.permission_denied, 404: views_errors.page_not_found}
OF_THE_API = "/api/"


class OutageMiddleware:
    """Right after authentication: reading who is logged in is the first thing that fails without a database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            bool(request.user.is_authenticated)
        except LOST as error:
            return views_errors.unavailable(request, what=_words(error))
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, LOST):
            return views_errors.unavailable(request, what=_words(error))
        if isinstance(error, MeshlineError) and not request.path.startswith(OF_THE_API):
            return SHOWN.get(error.http_status, views_errors.bad_request)(request, error)
        return None


def _words(error: Exception) -> str:
    """Driver messages name hosts and users, so only our own words are shown."""
    return str(error) if isinstance(error, Unavailable) else ""
