"""The declarative connector against servers that break off, redirect, and hand out tokens."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from syncflows.connectors.errors import (
    AuthRefused,
    ConnectorError,
    Misconfigured,
    NotFound,
    Outage,
    OutcomeUnknown,
    Rejected,
    Transient,
)
from syncflows.connectors.http import HttpConnector, build
from syncflows.connectors.protocol import Answer, Call
from tests.servers.scripted import Asked, Scripted, answer, serving

CREATE = {
    "method": "POST",
    "path": "/orders",
    "external_id": "answer.id",
    "find": {"path": "/orders", "query": {"ref": "{reference}"}, "external_id": "item.id"},
}
OPERATIONS = {
    "create": CREATE,
    "update": {"method": "PATCH", "path": "/orders/{external_id}"},
    "upsert": {"method": "PUT", "path": "/orders/eid:{reference}", "guard": "upsert_by_external_id"},
    "located": {**CREATE, "external_id": "headers.location"},
    "read": {"method": "GET", "path": "/orders/{external_id}"},
    "list": {"method": "GET", "path": "/orders"},
}
OAUTH = {
    "type": "oauth2_client_credentials",
    "client_id": {"env": "NOT_SET_ID", "default": "the client"},
    "client_secret": {"env": "NOT_SET_SECRET", "default": "hush-hush"},
    "scope": "orders:write",
}


@contextmanager
def connected(
    script: Callable[[Asked], bytes], *, per_connection: int = 0, **spec: Any
) -> Iterator[tuple[HttpConnector, Scripted]]:
    with serving(script, requests_per_connection=per_connection) as server:
        base = {"base_url": server.url, "timeouts": {"connect_s": 1, "read_s": 0.3}, "operations": OPERATIONS, **spec}
        if base.get("auth", {}).get("type") == OAUTH["type"]:
            base["auth"] = {**base["auth"], "token_url": f"{server.url}/token"}
        connector = build(name="erp", spec=base)
        try:
            yield connector, server
        finally:
            connector.close()


def create(connector: HttpConnector, operation: str = "create", **call: Any) -> Answer:
    return connector.execute(Call(operation, {"total": "1.10"}, "R-1", "key-1", **call))


def failure(action: Callable[[], Any]) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        action()
    return caught.value


def test_execute_sends_what_the_definition_says() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    with connected(lambda asked: answer(201, b'{"id": 7}')) as (connector, server):
        found = create(connector, correlation={"traceparent": trace})
    assert found == Answer("7", {"id": 7}, created=True)
    (asked,) = server.asked
    assert (asked.method, asked.target, json.loads(asked.body)) == ("POST", "/orders", {"total": "1.10"})
    assert asked.headers["traceparent"] == trace
    assert asked.headers["content-type"] == asked.headers["accept"] == "application/json"


def test_execute_reads_the_id_from_a_header_of_an_empty_answer() -> None:
    with connected(lambda asked: answer(201, b"", "Location: /orders/9")) as (connector, _):
        assert create(connector, "located") == Answer("/orders/9", {}, created=True)


def test_execute_of_an_update_keeps_the_id_it_was_given() -> None:
    with connected(lambda asked: answer(204, b"")) as (connector, server):
        assert create(connector, "update", external_id="SO/1") == Answer("SO/1", {}, created=False)
        assert isinstance(failure(lambda: create(connector, "update")), Misconfigured)
    assert [asked.target for asked in server.asked] == ["/orders/SO%2F1"]


@pytest.mark.parametrize(("status", "made"), [(201, True), (200, False)])
def test_execute_of_an_upsert_tells_created_from_updated(status: int, made: bool) -> None:
    with connected(lambda asked: answer(status)) as (connector, _):
        assert create(connector, "upsert") == Answer("R-1", {}, created=made)


def test_execute_tells_a_replayed_answer_from_a_new_one() -> None:
    with connected(lambda asked: answer(201, b'{"id": 7}', "Idempotent-Replayed: true")) as (connector, _):
        assert not create(connector).created


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 201 X\r\nContent-Len", b'HTTP/1.1 201 X\r\nContent-Length: 99\r\n\r\n{"id"',
        b'HTTP/1.1 201 X\r\nContent-Length: 99\r\n\r\n{"id": 1}', b"rubbish\r\n\r\n", answer(201, b"{}"), answer(201, b""), answer(201, b"<p>"),
     answer(201, b'{"id": null}'), answer(201, b'{"id": ""}'), answer(201, b'{"id": {"a": 1}}'), answer(302, b"", "Location: /done"), answer(500), answer(200 + 6)],
)  # fmt: skip
def test_execute_without_a_trustworthy_answer_is_unknown_and_sent_once(said: bytes) -> None:
    with connected(lambda asked: said, per_connection=1) as (connector, server):
        assert isinstance(failure(lambda: create(connector)), OutcomeUnknown)
        assert len(server.asked) == 1


def test_execute_refused_with_a_cut_off_body_is_still_refused() -> None:
    said = b'HTTP/1.1 422 X\r\nContent-Length: 99\r\n\r\n{"message"'
    with connected(lambda asked: said, per_connection=1) as (connector, _):
        assert type(failure(lambda: create(connector))) is Rejected


def test_execute_to_nobody_was_never_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        connector = build(
            name="erp", spec={"base_url": f"http://127.0.0.1:{free.getsockname()[1]}", "operations": OPERATIONS}
        )
        error = failure(lambda: create(connector))
        assert type(error) is Outage
        assert "nothing was sent" in error.message
        assert not connector.health().ok
    connector = build(name="erp", spec={"base_url": "http://no-such-host.invalid", "operations": OPERATIONS})
    assert type(failure(lambda: create(connector))) is Outage


def test_execute_to_a_backlog_that_is_full_was_never_sent() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        spec = {
            "base_url": f"http://127.0.0.1:{full.getsockname()[1]}",
            "timeouts": {"connect_s": 0.3, "read_s": 5},
            "operations": OPERATIONS,
        }
        assert isinstance(failure(lambda: create(build(name="erp", spec=spec))), Outage)


def test_a_connection_closed_while_idle_costs_no_write() -> None:
    """The server ends each connection after one answer without saying so; the next write goes over a new one."""
    with connected(lambda asked: answer(201, b'{"id": 7}'), per_connection=1) as (connector, server):
        for _ in range(20):
            try:
                create(connector)
            except OutcomeUnknown:
                continue  # the close and the write crossed: unknown is the only honest answer
        assert len(server.asked) <= 20


def test_writes_are_never_redirected_and_reads_never_leave() -> None:
    with serving(lambda asked: answer(200, b'{"id": 1}')) as other:
        redirect = answer(307, b"", f"Location: {other.url}/orders")
        with connected(lambda asked: redirect) as (connector, _):
            assert isinstance(failure(lambda: create(connector)), Misconfigured)
            assert isinstance(failure(lambda: connector.get("read", external_id="1")), Misconfigured)
        assert other.asked == []


def test_list_window_by_link_never_takes_our_credential_elsewhere() -> None:
    operations = {"list": {"method": "GET", "path": "/orders", "paging": {"type": "link"}}}
    auth = {"type": "bearer", "token": {"env": "NOT_SET_TOKEN", "default": "hush-hush"}}
    with serving(lambda asked: answer(200, b"[]")) as other:
        said = answer(200, b'[{"id": 1}]', f'Link: <{other.url}/next>; rel="next"')
        with connected(lambda asked: said, operations=operations, auth=auth) as (connector, _):
            error = failure(lambda: list(connector.list_window("list", since=_day(1), until=_day(2))))
            assert isinstance(error, Misconfigured)
        assert other.asked == []


def _day(day: int) -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 11, day, tzinfo=UTC)


def test_list_window_fills_in_the_period() -> None:
    operations = {
        "list": {
            "method": "GET",
            "path": "/o",
            "query": {"a": "{since}", "b": "{until}", "c": "{since_date}", "d": "{until_date}"},
        }
    }
    with connected(lambda asked: answer(200, b'{"items": []}'), operations=operations) as (connector, server):
        assert list(connector.list_window("list", since=_day(1), until=_day(2))) == []
    assert (
        server.asked[0].target == "/o?a=2026-11-01T00%3A00%3A00Z&b=2026-11-02T00%3A00%3A00Z&c=2026-11-01&d=2026-11-02"
    )


def test_find_takes_404_for_none_but_not_a_web_page() -> None:
    with connected(lambda asked: answer(404, b'{"message": "none"}')) as (connector, _):
        assert connector.find("create", reference="R-1") == []
        assert isinstance(failure(lambda: connector.get("read", external_id="1")), NotFound)
    page = b"HTTP/1.1 404 X\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>"
    with connected(lambda asked: page) as (connector, _):
        assert isinstance(failure(lambda: connector.find("create", reference="R-1")), Transient)


def test_oauth_fetches_one_token_for_all_threads() -> None:
    def script(asked: Asked) -> bytes:
        return (
            answer(200, b'{"access_token": "tok-1", "expires_in": 3600}')
            if asked.target == "/token"
            else answer(201, b'{"id": 7}')
        )

    with connected(script, auth=OAUTH) as (connector, server):
        threads = [threading.Thread(target=create, args=(connector,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    tokens = [asked for asked in server.asked if asked.target == "/token"]
    assert len(tokens) == 1
    assert tokens[0].body == b"grant_type=client_credentials&scope=orders%3Awrite"
    assert [asked.headers["authorization"] for asked in server.asked if asked.target == "/orders"] == [
        "Bearer tok-1"
    ] * 6


def test_oauth_renews_a_refused_token_once() -> None:
    issued = iter(range(1, 100))

    def script(asked: Asked) -> bytes:
        if asked.target == "/token":
            return answer(200, json.dumps({"access_token": f"tok-{next(issued)}"}).encode())
        return answer(201, b'{"id": 7}') if asked.headers["authorization"] == "Bearer tok-2" else answer(401)

    with connected(script, auth=OAUTH) as (connector, server):
        assert create(connector).external_id == "7"
        assert [asked.target for asked in server.asked] == ["/token", "/orders", "/token", "/orders"]


def test_oauth_gives_up_after_one_renewal_and_says_no_secret() -> None:
    def script(asked: Asked) -> bytes:
        return (
            answer(200, b'{"access_token": "tok-secret"}')
            if asked.target == "/token"
            else answer(403, b'{"error": "tok-secret not allowed"}')
        )

    with connected(script, auth=OAUTH) as (connector, server):
        error = failure(lambda: create(connector))
    assert isinstance(error, AuthRefused)
    assert len(server.asked) == 4
    assert "tok-secret" not in error.message + repr(error.context)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer(400, b'{"error": "invalid_client", "error_description": "bad hush-hush"}'), AuthRefused),
        (answer(503), Outage),
        (answer(200, b"{}"), AuthRefused),
        (b"", Transient),
    ],
)
def test_oauth_without_a_token_sends_no_write(said: bytes, kind: type[ConnectorError]) -> None:
    with connected(lambda asked: said, auth=OAUTH, per_connection=1) as (connector, server):
        error = failure(lambda: create(connector))
    assert isinstance(error, kind)
    assert not isinstance(error, OutcomeUnknown)
    assert "hush" not in error.message + repr(error.context)
    assert {asked.target for asked in server.asked} == {"/token"}


def test_basic_and_header_credentials() -> None:
    secret = {"env": "NOT_SET_VALUE", "default": "pw"}
    for auth, header, value in (
        (
            {"type": "basic", "username": {"env": "NOT_SET_USER", "default": "ira"}, "password": secret},
            "authorization",
            "Basic aXJhOnB3",
        ),
        ({"type": "header", "name": "X-Key", "value": secret}, "x-key", "pw"),
    ):
        with connected(lambda asked: answer(201, b'{"id": 7}'), auth=auth) as (connector, server):
            create(connector)
        assert server.asked[0].headers[header] == value


def test_cookies_are_not_kept() -> None:
    with connected(lambda asked: answer(201, b'{"id": 7}', "Set-Cookie: session=1")) as (connector, server):
        for _ in range(2):
            create(connector)
    assert "cookie" not in server.asked[1].headers


@pytest.mark.parametrize(
    ("health", "status", "ok"),
    [("/ping", 200, True), ("/ping", 401, False), ("/ping", 404, False), ("", 404, True), ("", 503, False)],
)
def test_health_by_status(health: str, status: int, ok: bool) -> None:
    with connected(lambda asked: answer(status, b"fine"), health=health) as (connector, _):
        assert connector.health().ok == ok


def test_health_of_a_system_that_only_sends() -> None:
    assert build(name="crm", spec={}).health().ok
