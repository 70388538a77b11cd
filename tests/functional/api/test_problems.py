"""Every error is a problem document (RFC 9457), whoever raised it, and tells nothing of our insides."""

from __future__ import annotations

from typing import Any

import httpx
from django.conf import settings
from django.db import DataError, OperationalError

from meshline.kernel.api.problem_pages import CODES
from meshline.kernel.api.problems import problem_response
from tests.factories import tickets as make
from tests.functional.api.conftest import Api

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "retryable", "errors"}


def _problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert set(found) >= MEMBERS
    assert (answer.status_code, found["status"], found["code"]) == (status, status, code), found
    assert found["instance"] == answer.headers["X-Request-Id"]
    assert found["type"] == f"/api/v1/docs/problems/{code}"
    assert found["detail"].endswith((".", "/"))
    return found


ADDRESSES = [
    ("GET", "tickets/tkt_nope/", 404, "not_found"),
    ("GET", "approvals/apr_nope/", 404, "not_found"),
    ("GET", "runs/run_nope/", 404, "not_found"),
    ("GET", "runs/run_nope/lineage/", 404, "not_found"),
    ("GET", "events/evt_nope/", 404, "not_found"),
    ("GET", "flows/nope/", 404, "not_found"),
    ("GET", "contracts/nope/", 404, "not_found"),
    ("GET", "reconciliation/runs/rec_nope/", 404, "not_found"),
    ("GET", "reconciliation/discrepancies/dis_nope/", 404, "not_found"),
    ("GET", "nothing/here/", 404, "unknown_address"),
    ("POST", "tickets", 404, "unknown_address"),
    ("GET", "tickets/%00/", 404, "unknown_address"),
    ("DELETE", "tickets/", 405, "method_not_allowed"),
    ("OPTIONS", "tickets/", 405, "method_not_allowed"),
    ("GET", "tickets/?amount_min=1E%2B200000", 400, "bad_query"),
    ("GET", "runs/?created_after=0001-01-01T00:00:00%2B14:00", 400, "bad_query"),
    ("GET", "tickets/?limit=0", 400, "bad_query"),
    ("GET", "tickets/?limit=ten", 400, "bad_query"),
    ("GET", "tickets/?limit=201", 400, "bad_query"),
    ("GET", "tickets/?cursor=%00nonsense", 400, "bad_cursor"),
    ("GET", "tickets/?cursor=cD1hYmM=", 400, "bad_cursor"),
    ("GET", "tickets/?page=2", 400, "unknown_parameter"),
    ("GET", "trace/", 400, "bad_query"),
    ("GET", "trace/?key=%00", 400, "bad_query"),
]
BODIES = [
    (b'{"text": ', "application/json", 400, "bad_json"),
    (b'{"text": NaN}', "application/json", 400, "bad_json"),
    (b'{"text": "a", "text": "b"}', "application/json", 400, "bad_json"),
    (b'{"text": "a\\u0000"}', "application/json", 400, "bad_json"),
    (b"\xff", "application/json", 400, "bad_json"),
    (b"[" * 2000, "application/json", 400, "bad_json"),
    (b"{}", "application/json", 422, "invalid"),
    (b"[]", "application/json", 422, "invalid"),
    (b'"text"', "application/json", 422, "invalid"),
    (b'{"text": "x", "colour": "red"}', "application/json", 422, "invalid"),
    (b"text=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    (b"<text/>", "application/xml", 415, "unsupported_media_type"),
]


def test_addresses_and_parameters(api: Api) -> None:
    client = api()
    for method, path, status, code in ADDRESSES:
        _problem(client.request(method, path), status, code)


def test_times_with_any_offset_are_read(api: Api) -> None:
    assert api().get("runs/", params={"created_before": "4227-07-03T06:41:07+20:56"}).status_code == 200


def test_bodies(api: Api) -> None:
    ticket, client = make.ticket(), api()
    for body, kind, status, code in BODIES:
        answer = client.post(f"tickets/{ticket.public_id}/comment/", content=body, headers={"Content-Type": kind})
        _problem(answer, status, code)
    assert ticket.entries.count() == 1


def test_a_field_that_is_wrong_is_named(api: Api) -> None:
    ticket, client = make.ticket(), api()
    found = _problem(client.post(f"tickets/{ticket.public_id}/resolve/", json={"resolution": "nope"}), 422, "invalid")
    assert {item["field"] for item in found["errors"]} == {"resolution", "note"}


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    ticket, client = make.ticket(), api()
    body = b'{"text": "' + b"x" * settings.MESHLINE_INGEST_LIMIT_BYTES + b'"}'
    headers = {"Content-Type": "application/json"}
    _problem(client.post(f"tickets/{ticket.public_id}/comment/", content=body, headers=headers), 413, "body_too_large")
    larger = b" " * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + body
    keyed = client.post(
        f"tickets/{ticket.public_id}/comment/", content=larger, headers={**headers, "Idempotency-Key": "k"}
    )
    _problem(keyed, 413, "body_too_large")


def test_only_json_is_answered(api: Api) -> None:
    answer = api().get("tickets/", headers={"Accept": "application/xml"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_a_bad_session_is_told_in_the_same_way(api: Api) -> None:
    _problem(api(anonymous=True).get("tickets/", headers={"Authorization": "Basic YTpi"}), 401, "not_authenticated")


def test_problem_response_tells_nothing_of_a_defect_of_ours() -> None:
    answer = problem_response(ZeroDivisionError("secret=hunter2"), {"request": None})
    assert (answer.status_code, answer.data["code"]) == (500, "internal")
    assert "hunter2" not in str(answer.data)
    assert "ZeroDivision" not in str(answer.data)


def test_problem_response_asks_to_come_back_when_the_database_is_down() -> None:
    answer = problem_response(OperationalError("connection to 10.0.0.7 refused"), {"request": None})
    assert (answer.status_code, answer.data["code"], answer.data["retryable"]) == (503, "database_down", True)
    assert int(answer.headers["Retry-After"]) > 0
    assert "10.0.0.7" not in str(answer.data)


def test_problem_response_blames_a_value_that_the_database_cannot_hold_on_the_request() -> None:
    answer = problem_response(DataError("value overflows numeric format"), {"request": None})
    assert (answer.status_code, answer.data["code"]) == (400, "value_out_of_range")


def test_the_type_of_a_problem_leads_to_its_explanation(client: Any) -> None:
    for code in [*CODES, "some_other_code"]:
        answer = client.get(f"/api/v1/docs/problems/{code}")
        assert (answer.status_code, code in answer.content.decode()) == (200, True)
