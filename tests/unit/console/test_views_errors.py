from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory

from meshline.console import views_errors
from meshline.kernel.errors import MeshlineError

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def request_():
    request = RequestFactory().get("/")
    request.request_id = "req_abc"
    return request


@pytest.mark.parametrize(
    ("view", "status"),
    [
        (views_errors.bad_request, 400),
        (views_errors.permission_denied, 403),
        (views_errors.page_not_found, 404),
        (views_errors.server_error, 500),
        (views_errors.unavailable, 503),
        (views_errors.csrf_failed, 403),
    ],
)
def test_error_page_says_what_to_do_and_names_the_request(request_, view, status):
    # No database fixture: a query here would fail the test, and the page when the database is down.
    response = view(request_)
    html = response.content.decode()
    assert response.status_code == status
    assert "What to do next" in html
    assert "req_abc" in html


@pytest.mark.parametrize(
    "error", [PermissionDenied(f"Only Alice may. {HOSTILE}"), MeshlineError(f"Only Alice may. {HOSTILE}")]
)
def test_permission_denied_says_why_as_text(request_, error):
    html = views_errors.permission_denied(request_, error).content.decode()
    assert "Only Alice may. &lt;script&gt;" in html
    assert HOSTILE not in html


def test_page_not_found_does_not_leak_an_unexpected_error(request_):
    assert "secret" not in views_errors.page_not_found(request_, RuntimeError("secret")).content.decode()
