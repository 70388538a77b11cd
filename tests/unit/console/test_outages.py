from __future__ import annotations

import pytest
import redis
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from meshline.console.outages import OutageMiddleware
from meshline.kernel.errors import Conflict, Missing, NotAllowed


class Unreachable:
    @property
    def is_authenticated(self) -> bool:
        raise OperationalError("connection to 10.0.0.7 as secret_user failed")


def middleware() -> OutageMiddleware:
    return OutageMiddleware(lambda request: HttpResponse("fine"))


def test_lost_database_is_told_without_its_address() -> None:
    request = RequestFactory().get("/queue/")
    request.user = Unreachable()
    answer = middleware()(request)
    assert answer.status_code == 503
    assert "secret_user" not in answer.content.decode()


def test_lost_database_is_a_problem_document_for_programs() -> None:
    request = RequestFactory().post("/ingest/crm/")
    request.user = Unreachable()
    answer = middleware()(request)
    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (503, "application/problem+json", "5")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("gone"), 503),
        (redis.ConnectionError("gone"), 503),
        (Missing("No such run."), 404),
        (NotAllowed("Not you."), 403),
        (Conflict("Too late."), 400),
    ],
)
def test_known_failures_become_pages(error: Exception, status: int) -> None:
    answer = middleware().process_exception(RequestFactory().get("/runs/"), error)
    assert answer is not None
    assert answer.status_code == status
    if status != 503:
        assert str(error) in answer.content.decode()


def test_unexpected_errors_and_the_api_are_left_to_others() -> None:
    assert middleware().process_exception(RequestFactory().get("/runs/"), ValueError("a bug")) is None
    assert middleware().process_exception(RequestFactory().get("/api/v1/runs/"), Missing("No.")) is None
