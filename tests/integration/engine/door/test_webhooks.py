"""Signed webhooks at the door."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from syncflows import hooks
from syncflows.engine import connections
from syncflows.engine.enums import EventStatus
from syncflows.engine.models import Event, Run
from tests.integration.engine.door import doorstep
from tests.integration.engine.door.conftest import Caller

KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
WEBHOOK = {"scheme": "standard_webhooks", "secret": {"env": "CRM_WEBHOOK_SECRET", "default": f"whsec_{KEY}"}}
URL = "/ingest/crm/"


@pytest.fixture
def crm(caller: Caller) -> Iterator[httpx.Client]:
    doorstep.crm(system={"webhook": WEBHOOK})
    client = caller("events:write")
    del client.headers["Authorization"]
    yield client
    connections.close_all()


def signed(body: bytes, *, ident: str = "msg_1", at: float | None = None, key: str = KEY) -> dict[str, str]:
    """Headers as Standard Webhooks 1.0 signs: id.timestamp.body by HMAC-SHA256."""
    moment = str(int(at or time.time()))
    digest = hmac.new(base64.b64decode(key), f"{ident}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": ident,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def deal(number: int = 1, kind: str = "deal.won") -> bytes:
    return json.dumps(
        {"type": kind, "timestamp": "2026-11-30T10:00:00Z", "data": {"deal_id": f"D{number}", "amount": 1054.10}}
    ).encode()


def test_signed_webhook_is_accepted_once(crm: httpx.Client) -> None:
    first = crm.post(URL, content=deal(), headers={**signed(deal()), "Accept": "text/html"})
    again = crm.post(URL, content=deal(), headers=signed(deal()))
    stored = Event.objects.get()
    assert (first.status_code, first.json()) == (202, {"events": [stored.public_id]})
    assert (again.status_code, again.json()) == (202, {"events": [stored.public_id]})
    assert (stored.source_event_id, stored.payload["amount"], stored.origin) == ("msg_1", "1054.1", "webhook")
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(deal(2)),
        signed(deal(), key=base64.b64encode(b"x" * 32).decode()),
        signed(deal(), at=time.time() - 3600),
        {"webhook-signature": "v1,!!!"},
    ],
)
def test_untrusted_webhook_leaves_nothing(
    crm: httpx.Client, failures: list[hooks.Failure], headers: dict[str, str]
) -> None:
    answer = crm.post(URL, content=deal(), headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
    assert not Event.objects.exists()
    assert failures == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b'{"type": "deal.won"}',
        b'{"type": 5, "data": []}',
        b'{"type":"deal.won","data":{"deal_id":"D\\u0000"}}',
    ],
)
def test_signed_nonsense_is_kept_with_a_ticket(crm: httpx.Client, failures: list[hooks.Failure], body: bytes) -> None:
    answer = crm.post(URL, content=body, headers=signed(body))
    stored = Event.objects.get()
    assert (answer.status_code, answer.json()["context"]["event"], stored.status) == (
        400,
        stored.public_id,
        EventStatus.QUARANTINED,
    )
    assert [(failure.reason, failure.system) for failure in failures] == [("malformed_event", "crm")]


def test_signed_event_of_unknown_type_is_taken_into_quarantine(
    crm: httpx.Client, failures: list[hooks.Failure]
) -> None:
    body = deal(kind="deal.stolen")
    answer = crm.post(URL, content=body, headers=signed(body))
    assert (answer.status_code, answer.json()["events"]) == (202, [Event.objects.get().public_id])
    assert [failure.reason for failure in failures] == ["unknown_event_type"]


@pytest.mark.parametrize(("url", "status"), [("/ingest/shop/", 404), ("/ingest/no-hooks/", 404)])
def test_unknown_webhook_is_404(crm: httpx.Client, url: str, status: int) -> None:
    doorstep.activate(doorstep.Kind.SYSTEM, "no-hooks", doorstep.SYSTEM)
    answer = crm.post(url, content=deal(), headers=signed(deal()))
    assert (answer.status_code, answer.json()["code"]) == (status, "unknown_webhook")


def test_other_methods_and_sizes_are_refused(crm: httpx.Client, settings: Any) -> None:
    assert crm.get(URL).status_code == 405
    settings.MESHLINE_INGEST_LIMIT_BYTES = 2000
    body = b" " * 3000
    assert crm.post(URL, content=body, headers=signed(body)).status_code == 413
    assert not Event.objects.exists()


def test_secret_that_is_not_there_is_503(crm: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    doorstep.crm(system={"webhook": {**WEBHOOK, "secret": {"env": "NOT_SET_ANYWHERE"}}})
    answer = crm.post(URL, content=deal(), headers=signed(deal()))
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
