"""CloudEvents at the door."""

import json
from typing import Any

import httpx
import pytest
from django.test import Client
from pytest_django import Settings

from ownership.models import User
from syncflows import hooks
from syncflows.engine.enums import EventStatus
from syncflows.engine.models import Event, Run
from tests.integration.engine.door.conftest import Caller

STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
BINARY = {
    "Content-Type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "e-1",
    "ce-source": "crm",
    "ce-type": "deal.won",
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
URL = "/api/v1/events/"


def event(number: int = 1, **values: Any) -> dict[str, Any]:
    data = {"deal_id": f"D{number}", "amount": 1054.10, "closed": "2026-11-30"}
    return {"specversion": "1.0", "id": f"e-{number}", "source": "crm", "type": "deal.won", "data": data, **values}


def send(client: httpx.Client, value: Any, headers: dict[str, str] = STRUCTURED) -> httpx.Response:
    return client.post(URL, content=value if isinstance(value, bytes) else json.dumps(value), headers=headers)


def test_structured_event_is_committed_then_accepted(sender: httpx.Client) -> None:
    answer = send(sender, event(), {**STRUCTURED, "traceparent": TRACEPARENT, "Accept": "text/xml"})
    stored = Event.objects.get()
    assert (answer.status_code, answer.json()) == (202, {"event": stored.public_id, "correlation_id": TRACE})
    assert stored.payload["amount"] == "1054.1"
    assert Run.objects.get().event == stored


def test_binary_event_is_accepted_with_its_exact_amount(sender: httpx.Client) -> None:
    answer = send(
        sender,
        b'{"deal_id": "D1", "amount": 1054.10}',
        {**BINARY, "ce-subject": "Euro%20%E2%82%AC", "ce-traceparent": TRACEPARENT},
    )
    assert (answer.status_code, answer.json()["correlation_id"]) == (202, TRACE)
    assert Event.objects.get().payload == {"deal_id": "D1", "amount": "1054.10"}


def test_duplicate_gets_the_first_events_ids(sender: httpx.Client) -> None:
    first, again = send(sender, event()), send(sender, event())
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json() == again.json()
    assert Event.objects.count() == Run.objects.count() == 1


def test_invalid_traceparent_is_ignored(sender: httpx.Client) -> None:
    answer = send(sender, event(), {**STRUCTURED, "traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"})
    assert answer.status_code == 202
    assert len(answer.json()["correlation_id"].strip("0")) > 10


def test_batch_answers_for_each_event(sender: httpx.Client, failures: list[hooks.Failure]) -> None:
    items = [
        event(1),
        event(1),
        event(2, data={"deal_id": ""}),
        {"source": "crm", "id": "e-9"},
        event(3, source="nowhere"),
        "text",
        event(4),
    ]
    answer = send(sender, items, BATCH)
    assert answer.status_code == 202
    answers = answer.json()["events"]
    assert [item["status"] for item in answers] == [
        "accepted",
        "duplicate",
        "quarantined",
        "quarantined",
        "refused",
        "refused",
        "accepted",
    ]
    assert answers[0]["event"] == answers[1]["event"]
    assert (answers[2]["code"], answers[3]["code"], answers[4]["code"]) == (
        "key_missing",
        "malformed_event",
        "unknown_source",
    )
    assert Event.objects.count() == 4
    assert len(failures) == 2


def test_empty_batch_is_nothing(sender: httpx.Client) -> None:
    answer = send(sender, [], BATCH)
    assert (answer.status_code, answer.json()) == (202, {"events": []})


def test_batch_of_nothing_usable_is_refused(sender: httpx.Client) -> None:
    answer = send(sender, [1, {}], BATCH)
    assert (answer.status_code, answer.json()["code"]) == (422, "batch_refused")
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", STRUCTURED, 400, "bad_json"),
        (b"", STRUCTURED, 400, "bad_json"),
        (b"\xff\xfe", STRUCTURED, 400, "bad_json"),
        (b'{"id": 1, "id": 2}', STRUCTURED, 400, "bad_json"),
        (b'{"id": NaN}', STRUCTURED, 400, "bad_json"),
        (b"[" * 100_000, STRUCTURED, 400, "bad_json"),
        (b"[" * 70 + b"]" * 70, BATCH, 400, "bad_json"),
        (b"1" * 5000, STRUCTURED, 400, "bad_json"),
        (b"{}", BATCH, 422, "bad_cloudevent"),
        (b"[]", STRUCTURED, 422, "bad_cloudevent"),
        (b"null", STRUCTURED, 422, "bad_cloudevent"),
        (b"{}", {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        (b"{}", {"Content-Type": "application/cloudevents+avro"}, 415, "unsupported_media_type"),
        (b"{}", {"Content-Type": "application/cloudevents+json; charset=utf-16"}, 415, "unsupported_media_type"),
        (b"{}", {"Content-Type": ";;;"}, 415, "unsupported_media_type"),
        (b"<a/>", {**BINARY, "Content-Type": "text/xml"}, 415, "unsupported_media_type"),
        (json.dumps(event(1, source="nowhere")).encode(), STRUCTURED, 422, "unknown_source"),
    ],
)
def test_bad_request_is_a_problem_document(
    sender: httpx.Client, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = send(sender, body, headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert (answer.json()["code"], answer.json()["status"]) == (code, status)
    assert len(answer.json()["detail"]) > 20
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("body", "headers", "status", "field"),
    [
        (json.dumps({"source": "crm", "specversion": "1.0", "id": "1"}).encode(), STRUCTURED, 422, "type"),
        (json.dumps(event(1, time="yesterday")).encode(), STRUCTURED, 422, "time"),
        (json.dumps(event(1, Deal={"a": 1})).encode(), STRUCTURED, 422, "Deal"),
        (b"{", BINARY, 400, None),
        (b"{}", {name: value for name, value in BINARY.items() if name != "ce-id"}, 422, "id"),
    ],
)
def test_malformed_event_of_a_known_system_is_kept(
    sender: httpx.Client,
    failures: list[hooks.Failure],
    body: bytes,
    headers: dict[str, str],
    status: int,
    field: str | None,
) -> None:
    answer = send(sender, body, headers)
    stored = Event.objects.get()
    assert (answer.status_code, answer.json()["context"]["event"]) == (status, stored.public_id)
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])
    assert (stored.status, stored.source, stored.raw) == (EventStatus.QUARANTINED, "crm", body.decode())
    assert [failure.reason for failure in failures] == ["malformed_event"]
    assert send(sender, body, headers).json()["context"]["event"] == stored.public_id
    assert len(failures) == 1


def test_event_that_breaks_its_contracts_reading_is_kept_and_named(
    sender: httpx.Client, failures: list[hooks.Failure]
) -> None:
    answer = send(sender, event(1, data={"deal_id": "D1", "amount": "five"}))
    stored = Event.objects.get()
    assert (answer.status_code, answer.json()["code"], answer.json()["context"]["event"]) == (
        422,
        "unreadable_field",
        stored.public_id,
    )
    assert "five" in answer.json()["detail"]
    good = send(sender, event(1))
    assert good.status_code == 202
    assert len(failures) == 1


def test_unparsable_body_is_attributed_where_the_token_speaks_for_one_system(
    caller: Caller, failures: list[hooks.Failure]
) -> None:
    answer = send(caller("events:write", systems=("crm",)), b'{"specversion": ')
    assert answer.status_code == 400
    assert Event.objects.get().public_id == answer.json()["context"]["event"]
    assert failures[0].system == "crm"


def test_token_decides_who_may_send_what(caller: Caller, failures: list[hooks.Failure]) -> None:
    assert send(caller("events:write"), event(), {**STRUCTURED, "Authorization": "Bearer msh_wrong"}).status_code == 401
    assert send(caller("events:read"), event()).status_code == 403
    other = caller("events:write", systems=("shop",))
    refused = send(other, event())
    assert (refused.status_code, refused.json()["code"]) == (403, "source_not_allowed")
    assert send(other, {"source": "crm"}).status_code == 422
    assert not Event.objects.exists()
    assert failures == []


def test_person_with_a_session_is_told_to_use_a_token(db: None, client: Client, django_user_model: type[User]) -> None:
    client.force_login(django_user_model.objects.create(username="dana"))
    answer = client.post(URL, data=json.dumps(event()), content_type=STRUCTURED["Content-Type"])
    assert (answer.status_code, answer.json()["code"]) == (403, "token_required")


def test_doors_answer_over_a_real_socket(live_caller: Caller, settings: Settings) -> None:
    """What only a socket shows: bodies refused while they are still being sent, bodies without a length, and the commit before the answer."""
    client = live_caller("events:write")
    assert send(client, event()).status_code == 202
    assert send(client, event()).status_code == 200
    assert send(client, [event(1), event(2)], BATCH).status_code == 202
    assert Event.objects.count() == Run.objects.count() == 2
    settings.MESHLINE_INGEST_LIMIT_BYTES = 2000
    answer = send(client, event(1, data={"deal_id": "D" * 3_000_000}))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    chunked = client.post(URL, content=iter([b"{}"]), headers=STRUCTURED)
    assert (chunked.status_code, chunked.json()["code"]) == (411, "length_required")


def test_get_still_lists_events(caller: Caller) -> None:
    client = caller("events:write", "events:read")
    send(client, event())
    assert len(client.get(URL).json()["results"]) == 1
