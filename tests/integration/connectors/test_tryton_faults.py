"""The Tryton connector when the way to Tryton, or the way in, fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from syncflows.connectors.errors import AuthRefused, BadWebhook, Misconfigured, Outage, OutcomeUnknown, Transient
from syncflows.connectors.protocol import Connector
from tests.integration.connectors.tryton_calls import call, fresh, order, states
from tests.servers.lossy_proxy import LossyProxy, proxying
from tests.tryton_server import Tryton

pytestmark = [pytest.mark.xdist_group("tryton"), pytest.mark.slow]


@pytest.fixture(scope="module")
def erp(tryton: Tryton) -> Iterator[Connector]:
    connector = tryton.connector()
    yield connector
    connector.close()


@pytest.fixture
def proxy(tryton: Tryton) -> Iterator[LossyProxy]:
    with proxying(tryton.base_url) as running:
        yield running


@pytest.mark.parametrize(
    ("lost", "left", "complete"),
    [
        ("sale.sale.create", "draft", False),
        ("sale.sale.quote", "quotation", False),
        ("sale.sale.confirm", "processing", True),
    ],
)
def test_create_order_with_a_lost_answer_is_unknown_then_found_then_carried_on(
    tryton: Tryton, erp: Connector, proxy: LossyProxy, lost: str, left: str, complete: bool
) -> None:
    reference, behind = fresh(), tryton.connector(base_url=proxy.url)
    proxy.lose(lost)
    with pytest.raises(OutcomeUnknown):
        behind.execute(order(reference))
    (found,) = erp.find("create_order", reference=reference)
    assert (found.document["state"], found.complete) == (left, complete)
    assert behind.execute(order(reference, attempt=2)).document["state"] == "processing"
    assert states(erp, reference) == ["processing"]
    behind.close()


def test_create_order_that_times_out_after_commit_is_unknown(tryton: Tryton, erp: Connector, proxy: LossyProxy) -> None:
    reference, behind = fresh(), tryton.connector(base_url=proxy.url, read_s=2)
    behind.health()
    proxy.lose("sale.sale.create", hold=True)
    with pytest.raises(OutcomeUnknown, match="may have been done"):
        behind.execute(order(reference))
    assert states(erp, reference) == ["draft"]
    behind.close()


def test_create_customer_with_a_lost_answer_is_unknown_and_adopted_next_time(tryton: Tryton, proxy: LossyProxy) -> None:
    code, behind = fresh("C"), tryton.connector(base_url=proxy.url)
    wanted = call("create_customer", code, external_id=code, name="Lost")
    proxy.lose("party.party.create")
    with pytest.raises(OutcomeUnknown):
        behind.execute(wanted)
    assert behind.execute(wanted).created is False
    behind.close()


def test_find_with_a_lost_answer_may_be_asked_again(tryton: Tryton, proxy: LossyProxy) -> None:
    behind = tryton.connector(base_url=proxy.url)
    proxy.lose("sale.sale.search_read")
    with pytest.raises(Transient):
        behind.find("create_order", reference="x")
    assert behind.find("create_order", reference="x") == []
    behind.close()


def test_session_that_tryton_has_forgotten_is_renewed_once(tryton: Tryton, proxy: LossyProxy) -> None:
    behind = tryton.connector(base_url=proxy.url)
    assert behind.health().ok
    authorization = re.search(rb"Authorization: (Session \S+)", proxy.requests[-1])
    assert authorization
    logout = {"id": 1, "method": "common.db.logout", "params": []}
    httpx.post(
        f"{tryton.base_url}/erp/rpc/",
        json=logout,
        headers={"Authorization": authorization[1].decode()},
        trust_env=False,
    ).raise_for_status()
    reference = fresh()
    assert behind.execute(order(reference)).document["state"] == "processing"
    assert sum(b"common.db.login" in request for request in proxy.requests) == 2
    behind.close()


def test_wrong_password_is_refused_and_not_tried_again_at_once(tryton: Tryton, proxy: LossyProxy) -> None:
    stranger = tryton.connector(base_url=proxy.url, user="stranger", password="wrong")
    for _ in range(3):
        with pytest.raises(AuthRefused, match="TRYTON_PASSWORD"):
            stranger.execute(order(fresh()))
    assert sum(b"common.db.login" in request for request in proxy.requests) == 1
    assert not stranger.health().ok
    stranger.close()


def test_user_without_rights_is_an_outage_of_ours_not_a_fault_of_the_document(tryton: Tryton) -> None:
    powerless = tryton.connector(user="nobody")
    with pytest.raises(AuthRefused, match="lacks a right"):
        powerless.find("create_order", reference="x")
    assert not powerless.health().ok
    powerless.close()


def test_unknown_database_is_a_mistake_in_the_definition(tryton: Tryton) -> None:
    elsewhere = tryton.connector(database="nowhere")
    with pytest.raises(Misconfigured, match="options.database"):
        elsewhere.find("create_order", reference="x")
    elsewhere.close()


def test_server_that_is_not_there_is_an_outage(tryton: Tryton) -> None:
    gone = tryton.connector(base_url="http://127.0.0.1:9")
    with pytest.raises(Outage):
        gone.execute(order(fresh()))
    assert not gone.health().ok
    gone.close()


def test_unknown_operation_names_those_there_are(erp: Connector) -> None:
    with pytest.raises(Misconfigured, match="create_order"):
        erp.execute(call("create_rainbow", "x"))
    with pytest.raises(Misconfigured, match="list_orders"):
        list(erp.list_window("create_order", since=datetime.now(UTC), until=datetime.now(UTC)))
    with pytest.raises(BadWebhook):
        erp.verify_webhook(headers={}, body=b"{}", now=datetime.now(UTC))


def test_health_says_which_database_answers(erp: Connector) -> None:
    health = erp.health()
    assert health.ok
    assert "erp" in health.detail
    assert health.latency_ms is not None
