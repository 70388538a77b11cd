"""An unsafe call that is repeated with the same Idempotency-Key is answered, not repeated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import httpx
from django.utils import timezone

from exceptions.enums import EntryKind
from exceptions.models import Ticket
from meshline.kernel.api import idempotency
from meshline.kernel.models import IdempotencyRecord
from tests.factories import tickets as make
from tests.functional.api.conftest import Api

THREADS = 20
BODY = {"text": "Called the customer."}


def _comments(ticket: Ticket) -> int:
    return ticket.entries.filter(kind=EntryKind.COMMENT).count()


def _comment(client: httpx.Client, ticket: Ticket, key: str, **body: Any) -> httpx.Response:
    return client.post(f"tickets/{ticket.public_id}/comment/", json=body or BODY, headers={"Idempotency-Key": key})


def test_the_same_request_is_answered_with_the_stored_answer(api: Api) -> None:
    ticket, client = make.ticket(), api("tickets:write")
    first, second = _comment(client, ticket, '"a b"'), _comment(client, ticket, '"a b"')
    assert (second.status_code, second.json()) == (201, first.json())
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert _comments(ticket) == 1


def test_another_request_under_the_same_key_is_refused(api: Api) -> None:
    ticket, client = make.ticket(), api("tickets:write")
    _comment(client, ticket, "k")
    other = _comment(client, ticket, "k", text="Something else.")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert _comments(ticket) == 1


def test_keys_belong_to_their_token(api: Api) -> None:
    ticket = make.ticket()
    for client in (api("tickets:write"), api("tickets:write")):
        assert _comment(client, ticket, "k").status_code == 201
    assert _comments(ticket) == 2


def test_without_a_key_each_call_counts(api: Api) -> None:
    ticket, client = make.ticket(), api("tickets:write")
    for _ in range(2):
        client.post(f"tickets/{ticket.public_id}/comment/", json=BODY)
    assert _comments(ticket) == 2


def test_twenty_callers_with_one_key_have_one_effect(api: Api) -> None:
    ticket, client, start = make.ticket(), api("tickets:write"), Barrier(THREADS)

    def call(_: int) -> httpx.Response:
        start.wait(timeout=20)
        return _comment(client, ticket, "k")

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(call, range(THREADS)))
    assert _comments(ticket) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len([a for a in answers if a.status_code == 201 and "Idempotency-Replayed" not in a.headers]) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency_key_in_flight"}
    assert _comment(client, ticket, "k").headers["Idempotency-Replayed"] == "true"


def test_a_refused_call_leaves_the_key_free(api: Api) -> None:
    ticket, client = make.ticket(), api("tickets:write")
    assert _comment(client, ticket, "k", text="").status_code == 422
    assert IdempotencyRecord.objects.count() == 0
    assert _comment(client, ticket, "k").status_code == 201


def test_in_flight_is_a_conflict_until_its_caller_must_be_dead(api: Api) -> None:
    ticket, client = make.ticket(), api("tickets:write")
    _comment(client, ticket, "k")
    IdempotencyRecord.objects.update(status=0, body="")
    busy = _comment(client, ticket, "k")
    assert (busy.status_code, busy.json()["code"], busy.json()["retryable"]) == (409, "idempotency_key_in_flight", True)
    IdempotencyRecord.objects.update(created_at=timezone.now() - idempotency.IN_FLIGHT_FOR - timedelta(seconds=1))
    assert _comment(client, ticket, "k").status_code == 201
    assert _comments(ticket) == 2


def test_answers_are_kept_for_a_day(api: Api) -> None:
    ticket, client = make.ticket(), api("tickets:write")
    _comment(client, ticket, "k")
    IdempotencyRecord.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    assert _comment(client, ticket, "k", text="A new day.").status_code == 201
    assert (_comments(ticket), IdempotencyRecord.objects.count()) == (2, 1)


def test_keys_that_cannot_be_kept_are_refused(api: Api) -> None:
    ticket, client = make.ticket(), api("tickets:write")
    for key in ("", "x" * 256, '"unclosed', b"\xe9"):
        answer = _comment(client, ticket, key)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")
    assert _comments(ticket) == 0


def test_a_bulk_call_is_done_once(api: Api) -> None:
    ids = [make.ticket().public_id for _ in range(3)]
    client, body = api("tickets:write"), {"action": "replay", "ids": ids, "reason": "The product exists now."}
    answers = [client.post("tickets/bulk/", json=body, headers={"Idempotency-Key": "b"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].json()["done"] == 3
