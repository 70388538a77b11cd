"""The doors as they are served: an event loop that reads, one thread that commits in groups, Django behind it for the rest."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from meshline.kernel import actors
from ownership import tokens
from ownership.models import ApiToken
from syncflows.engine import connections
from syncflows.engine.arrivals import Arrival
from syncflows.engine.door import groups
from syncflows.engine.models import Event, Run
from tests.integration.engine.door import doorstep
from tests.integration.engine.door.test_api_events import BATCH, STRUCTURED, event
from tests.integration.engine.door.test_webhooks import WEBHOOK, deal, signed
from tests.polling import until

HOOK, EVENTS = "/ingest/crm/", "/api/v1/events/"
BY_TEST = actors.system("test")


@pytest.fixture
def crm(front: str) -> Iterator[httpx.Client]:
    doorstep.crm(system={"webhook": WEBHOOK})
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=front, timeout=20, trust_env=False, limits=limits) as client:
        yield client
    connections.close_all()


def bearer(*scopes: str, systems: tuple[str, ...] = ()) -> tuple[ApiToken, dict[str, str]]:
    token, secret = tokens.create(name="crm sender", scopes=scopes, systems=systems, by=BY_TEST)
    return token, {"Authorization": f"Bearer {secret}"}


def transactions() -> int:
    """In how many transactions the stored events were committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM engine_event")
        return int(cursor.fetchone()[0])


def test_both_doors_answer_when_committed(crm: httpx.Client) -> None:
    _, login = bearer("events:write")
    hook = crm.post(HOOK, content=deal(1), headers=signed(deal(1)))
    sent = crm.post(EVENTS, json=event(2), headers={**STRUCTURED, **login})
    again = crm.post(EVENTS, json=event(2), headers={**STRUCTURED, **login})
    first, second = Event.objects.order_by("pk")
    assert (hook.status_code, hook.json()) == (202, {"events": [first.public_id]})
    assert (sent.status_code, sent.json()["event"]) == (202, second.public_id)
    assert (again.status_code, again.json()) == (200, sent.json())
    assert Run.objects.count() == 2


def test_answers_carry_security_headers_and_a_request_id(crm: httpx.Client) -> None:
    answers = [
        crm.post(HOOK, content=deal(), headers=signed(deal())),
        crm.post(HOOK, content=b"{}"),
        crm.get("/healthz"),
    ]
    assert [answer.status_code for answer in answers] == [202, 401, 200]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-Id"].startswith("req_")
        assert "Content-Security-Policy" in answer.headers


def test_what_waits_together_is_committed_together_and_answered_apart(crm: httpx.Client) -> None:
    """Good ones, one twice, bad signatures and nonsense, all at once."""
    bodies = [deal(number) for number in range(60)]
    asks = [(body, signed(body, ident=f"msg_{number % 50}")) for number, body in enumerate(bodies)]
    asks += [(b"nonsense %d" % number, signed(b"nonsense %d" % number, ident=f"bad_{number}")) for number in range(5)]
    asks += [(b"{}", {"webhook-signature": "v1,forged"})] * 5
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda ask: crm.post(HOOK, content=ask[0], headers=ask[1]), asks))
    assert [answer.status_code for answer in answers] == [202] * 60 + [400] * 5 + [401] * 5
    told = {answer.json()["events"][0] for answer in answers[:60]}
    assert told == set(Event.objects.filter(status="accepted").values_list("public_id", flat=True))
    assert (len(told), Event.objects.filter(status="quarantined").count(), Run.objects.count()) == (50, 5, 50)
    assert transactions() < 55


def test_token_without_the_scope_or_unknown_is_refused_as_by_the_api(crm: httpx.Client) -> None:
    _, reader = bearer("events:read")
    _, other = bearer("events:write", systems=("shop",))
    headers = [reader, other, {"Authorization": "Bearer msh_unknown"}, {}]
    answers = [crm.post(EVENTS, json=event(), headers={**STRUCTURED, **login}) for login in headers]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "missing_scope"),
        (403, "source_not_allowed"),
        (401, "invalid_token"),
        (401, "not_authenticated"),
    ]
    assert not Event.objects.exists()


def test_revoked_token_ends_within_its_bound(crm: httpx.Client) -> None:
    """Revoked by another process: this one only learns of it by asking again."""
    token, login = bearer("events:write")
    assert crm.post(EVENTS, json=event(), headers={**STRUCTURED, **login}).status_code == 202
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=token.created_at)
    status = lambda: crm.post(EVENTS, json=event(), headers={**STRUCTURED, **login}).status_code  # noqa: E731
    until(lambda: status() == 401, timeout_s=tokens.REMEMBERED_S + 3, what="the token still works")


def test_changed_secret_counts_at_once_for_whom_it_lets_in(crm: httpx.Client) -> None:
    assert crm.post(HOOK, content=deal(1), headers=signed(deal(1))).status_code == 202
    new = "bmV3IHNlY3JldCBvZiB0aGUgc2FtZSBsZW5ndGggMTIz"
    doorstep.crm(system={"webhook": {**WEBHOOK, "secret": {"env": "CRM_NEW_SECRET", "default": f"whsec_{new}"}}})
    assert crm.post(HOOK, content=deal(2), headers=signed(deal(2), key=new)).status_code == 202


def test_batch_stays_whole_and_is_answered_for_each(crm: httpx.Client) -> None:
    _, login = bearer("events:write")
    items = [event(1), event(2, source="nowhere"), event(1), event(3)]
    answer = crm.post(EVENTS, content=json.dumps(items), headers={**BATCH, **login})
    assert [item["status"] for item in answer.json()["events"]] == ["accepted", "refused", "duplicate", "accepted"]
    assert transactions() == 1


def test_repeated_call_with_a_key_is_answered_by_the_first(crm: httpx.Client) -> None:
    _, login = bearer("events:write")
    headers = {**STRUCTURED, **login, "Idempotency-Key": "k-1"}
    first, again = (crm.post(EVENTS, json=event(), headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code, again.headers["Idempotency-Replayed"]) == (202, 202, "true")


def test_large_bodies_are_taken_to_the_limit_and_refused_beyond(crm: httpx.Client, settings: Settings) -> None:
    _, login = bearer("events:write")
    filling = "x" * (5 * 1024 * 1024 - 1000)
    hook = json.dumps({"type": "deal.won", "data": {"deal_id": "D1", "note": filling}}).encode()
    assert crm.post(HOOK, content=hook, headers=signed(hook)).status_code == 202
    large = event(2, data={"deal_id": "D2", "note": filling})
    assert crm.post(EVENTS, json=large, headers={**STRUCTURED, **login}).status_code == 202
    settings.MESHLINE_INGEST_LIMIT_BYTES = 1024 * 1024
    answers = [crm.post(HOOK, content=hook, headers=signed(hook)), crm.post(EVENTS, json=large, headers=login)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(413, "body_too_large")] * 2
    assert Event.objects.count() == 2


def test_body_in_chunks_is_taken(crm: httpx.Client) -> None:
    body = deal(1)
    answer = crm.post(HOOK, content=iter([body[:20], body[20:]]), headers=signed(body))
    assert (answer.status_code, Event.objects.count()) == (202, 1)


def test_slow_senders_hold_nobody_up(crm: httpx.Client, front: str, settings: Settings) -> None:
    """More of them than there are threads; each is told in the end."""
    settings.MESHLINE_BODY_WAIT_S = 1
    address = urlsplit(front)
    slow = [
        socket.create_connection((address.hostname, address.port)) for _ in range(settings.MESHLINE_WEB_THREADS * 4)
    ]
    for number, stream in enumerate(slow):
        length = b"Content-Length: 1000\r\n\r\n{" if number % 2 else b""
        stream.sendall(b"POST /ingest/crm/ HTTP/1.1\r\nHost: localhost\r\n" + length)
    answers = [crm.post(HOOK, content=deal(1), headers=signed(deal(1)), timeout=5), crm.get("/healthz", timeout=5)]
    assert [answer.status_code for answer in answers] == [202, 200]
    slow[1].settimeout(10)
    assert slow[1].recv(100).startswith(b"HTTP/1.1 408")
    for stream in slow:
        stream.close()


def test_pages_and_static_files_come_through(crm: httpx.Client) -> None:
    page = crm.get("/queue/?view=open")
    assert (page.status_code, urlsplit(page.headers["location"]).path) == (302, "/login/")
    static = crm.get("/static/console/mark.svg")
    assert (static.status_code, static.headers["content-type"]) == (200, "image/svg+xml")
    assert crm.get("/api/v1/nothing/").json()["code"] == "unknown_address"


def test_foreign_host_is_refused(crm: httpx.Client) -> None:
    answer = crm.post(HOOK, content=deal(), headers={**signed(deal()), "Host": "evil.example"})
    assert (answer.status_code, Event.objects.exists()) == (400, False)


@pytest.mark.parametrize("size", [1, 40])
def test_a_group_takes_the_same_statements_whatever_its_size(
    transactional_db: None, size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Definitions, begin, events, runs, facts, names, commit."""
    doorstep.crm()
    requests = [
        [Arrival("crm", "deal.won", {"deal_id": f"D{number}", "amount": "1"}, f"e-{number}")] for number in range(size)
    ]
    groups.accept([[Arrival("crm", "deal.won", {"deal_id": "D", "amount": "1"}, "first")]])
    with django_assert_num_queries(7):
        results = groups.accept(requests)
    assert len(results) == size
