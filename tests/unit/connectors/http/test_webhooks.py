"""Webhooks: published signature vectors, freshness, secret rolls, batches, and bodies that cannot be read."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncflows.connectors.errors import BadWebhook, ConnectorError, Misconfigured
from syncflows.connectors.http import build
from syncflows.connectors.protocol import WebhookEvent
from tests.architecture.code import CHECKOUT

WIRE = CHECKOUT.parent / "shared" / "wire"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = base64.b64encode(b"0123456789abcdef01234567").decode()
SECRET = f"whsec_{KEY}"
URI = "https://www.example.com/webhook_uri"


def vector(scheme: str) -> dict[str, Any]:
    path = WIRE / "signature_vectors.json"
    if not path.exists():
        pytest.skip("../shared/wire is not here")
    return next(item for item in json.loads(path.read_text()) if item["scheme"] == scheme)


def receive(
    scheme: str, secret: str, headers: dict[str, str], body: bytes, *, now: datetime = NOW, uri: str = "", **rest: Any
) -> list[WebhookEvent]:
    webhook = {"scheme": scheme, "secret": {"env": "NO_SUCH_VARIABLE_SET", "default": secret}, **rest}
    connector = build(name="crm", spec={"webhook": webhook})
    try:
        return connector.verify_webhook(headers=headers, body=body, now=now, uri=uri)
    finally:
        connector.close()


def refusal(*args: Any, **rest: Any) -> BadWebhook:
    with pytest.raises(BadWebhook) as caught:
        receive(*args, **rest)
    return caught.value


def signed(body: bytes, *, secret: str = SECRET, at: datetime = NOW, message_id: str = "msg_1") -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(
        base64.b64decode(secret.removeprefix("whsec_")), f"{message_id}.{stamp}.".encode() + body, hashlib.sha256
    ).digest()
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
    }


BODY = json.dumps(
    {"type": "crm.deal.won", "timestamp": "2026-11-20T11:59:00Z", "data": {"id": "1", "total": "5.10"}}
).encode()


def test_verify_webhook_takes_the_published_standard_vector() -> None:
    found = vector("standard-webhooks v1")
    headers = {
        "webhook-id": found["id"],
        "webhook-timestamp": found["timestamp"],
        "webhook-signature": found["signature"],
    }
    at = datetime.fromtimestamp(int(found["timestamp"]), UTC)
    events = receive(
        "standard_webhooks", found["secret"], headers, found["body"].encode(), now=at, type="'test'", payload="body"
    )
    assert events == [WebhookEvent("test", found["id"], {"test": 2432232314})]
    wrong = {**headers, "webhook-signature": found["signature"].replace("J1OE=", "J1OA=")}
    assert refusal("standard_webhooks", found["secret"], wrong, found["body"].encode(), now=at).code == "bad_signature"


def test_verify_webhook_takes_the_published_hubspot_vector() -> None:
    found = vector("hubspot v3")
    headers = {"X-HubSpot-Signature-v3": found["signature"], "X-HubSpot-Request-Timestamp": found["timestamp"]}
    at = datetime.fromtimestamp(int(found["timestamp"]) / 1000, UTC)
    error = refusal("hubspot_v3", found["secret"], headers, found["body"].encode(), now=at, uri=found["uri"])
    assert error.code == "bad_body", "the vector's body has single quotes: rightly signed, not JSON"
    assert (
        refusal("hubspot_v3", found["secret"], headers, found["body"].encode(), now=at, uri=f"{URI}x").code
        == "bad_signature"
    )
    assert refusal("hubspot_v3", found["secret"], headers, found["body"].encode(), now=at).code == "bad_signature"


def test_verify_webhook_takes_the_published_zendesk_vector() -> None:
    found = vector("zendesk")
    body = (WIRE / found["body_file"]).read_bytes()
    headers = {
        "X-Zendesk-Webhook-Signature": found["signature"],
        "X-Zendesk-Webhook-Signature-Timestamp": found["timestamp"],
    }
    at = datetime.fromtimestamp(int(found["timestamp"]), UTC)
    (event,) = receive("zendesk", found["secret"], headers, body, now=at)
    assert event.type == "zen:event-type:user.group_membership_created"
    assert event.source_event_id == "6b9bbadf-5725-4e92-bebe-7b71011bf5f1"
    assert event.occurred_at == datetime(2099, 7, 4, 5, 33, 18, tzinfo=UTC)
    assert refusal("zendesk", found["secret"], headers, body + b" ", now=at).code == "bad_signature"


def test_verify_webhook_of_standard_webhooks_reads_the_event() -> None:
    headers = {**signed(BODY), "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    (event,) = receive("standard_webhooks", SECRET, headers, BODY, sequence="int(body.data.id)")
    assert (event.type, event.source_event_id, event.payload) == ("crm.deal.won", "msg_1", {"id": "1", "total": "5.10"})
    assert event.occurred_at == datetime(2026, 11, 20, 11, 59, tzinfo=UTC)
    assert event.sequence == "1".zfill(20)
    assert event.traceparent == headers["traceparent"]


def test_verify_webhook_reads_a_definition_that_was_written_out_in_full() -> None:
    """Defaults that stand in the document count as defaults."""
    body = json.dumps(
        [
            {
                "eventId": 1,
                "subscriptionId": 2,
                "objectId": 3,
                "occurredAt": 1693657560000,
                "subscriptionType": "deal.creation",
            }
        ]
    ).encode()
    events = receive(
        "hubspot_v3", "s3cret", hubspot(body), body, uri=URI, type="body.type", payload="body.data", event_id=None
    )
    assert [event.type for event in events] == ["deal.creation"]


def hubspot(body: bytes, *, uri: str = URI, at: datetime = NOW) -> dict[str, str]:
    stamp = str(int(at.timestamp() * 1000))
    digest = hmac.new(b"s3cret", f"POST{uri}".encode() + body + stamp.encode(), hashlib.sha256).digest()
    return {"x-hubspot-signature-v3": base64.b64encode(digest).decode(), "x-hubspot-request-timestamp": stamp}


def test_verify_webhook_of_a_batch_gives_one_event_each_whatever_the_attempt() -> None:
    def batch(attempt: int) -> bytes:
        base = {
            "subscriptionId": 2,
            "occurredAt": 1693657560000,
            "subscriptionType": "deal.propertyChange",
            "attemptNumber": attempt,
        }
        return json.dumps([{**base, "eventId": 1, "objectId": number} for number in range(3)]).encode()

    first, again = (receive("hubspot_v3", "s3cret", hubspot(batch(n)), batch(n), uri=URI) for n in (0, 1))
    assert len({event.source_event_id for event in first}) == 3
    assert [event.source_event_id for event in first] == [event.source_event_id for event in again]
    assert first[0].occurred_at == datetime(2023, 9, 2, 12, 26, tzinfo=UTC)


def test_verify_webhook_of_hubspot_decodes_the_address() -> None:
    body = b'[{"eventId":1,"subscriptionId":2,"objectId":3,"occurredAt":1,"subscriptionType":"x.y"}]'
    assert receive("hubspot_v3", "s3cret", hubspot(body, uri=f"{URI}?a=b:c@d"), body, uri=f"{URI}?a=b%3Ac%40d")


def test_verify_webhook_numbers_a_batch_under_one_delivery_id() -> None:
    body = json.dumps([json.loads(BODY), json.loads(BODY)]).encode()
    assert [event.source_event_id for event in receive("standard_webhooks", SECRET, signed(body), body)] == [
        "msg_1.0",
        "msg_1.1",
    ]


def test_verify_webhook_of_shopify() -> None:
    body = b'{"id": 820982911946154508, "total_price": "403.00"}'
    headers = {
        "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.new(b"shop", body, hashlib.sha256).digest()).decode(),
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Webhook-Id": "b54557e4",
        "X-Shopify-Triggered-At": "2026-11-20T11:00:00.123456789Z",
    }
    (event,) = receive("shopify", "shop", headers, body)
    assert (event.type, event.source_event_id, event.payload["total_price"]) == ("orders/create", "b54557e4", "403.00")
    assert refusal("shopify", "other", headers, body).code == "bad_signature"


def test_verify_webhook_of_stripe_takes_any_of_its_signatures() -> None:
    body = b'{"id": "evt_1", "type": "invoice.paid", "created": 1795176000, "data": {"object": {"id": "in_1"}}}'
    stamp = str(int(NOW.timestamp()))
    good = hmac.new(b"stripe-key", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    (event,) = receive("stripe", "stripe-key", {"Stripe-Signature": f"t={stamp},v1={'0' * 64},v1={good},v0=x"}, body)
    assert (event.type, event.source_event_id, event.payload) == ("invoice.paid", "evt_1", {"id": "in_1"})
    assert (
        refusal("stripe", "stripe-key", {"Stripe-Signature": f"t={int(stamp) - 1},v1={good}"}, body).code
        == "bad_signature"
    )
    assert refusal("stripe", "stripe-key", {"Stripe-Signature": f"v0={good}"}, body).code == "bad_signature"


def test_verify_webhook_of_a_shared_secret() -> None:
    events = receive(
        "shared_secret", "pass-word", {"X-Token": "pass-word"}, BODY, header="X-Token", event_id="body.data.id"
    )
    assert events[0].source_event_id == "1"
    assert (
        refusal("shared_secret", "pass-word", {"X-Token": "pass-wor"}, BODY, header="X-Token").code == "bad_signature"
    )
    assert refusal("shared_secret", "pass-word", {}, BODY, header="X-Token").http_status == 401
    with pytest.raises(Misconfigured):
        receive("shared_secret", "pass-word", {"X-Token": "pass-word"}, BODY)


def test_verify_webhook_takes_either_secret_during_a_roll() -> None:
    old = f"whsec_{base64.b64encode(b'an older secret of ours').decode()}"
    for secret in (old, SECRET):
        assert receive("standard_webhooks", f"{SECRET}, {old}", signed(BODY, secret=secret), BODY)
    assert refusal("standard_webhooks", SECRET, signed(BODY, secret=old), BODY).code == "bad_signature"


@pytest.mark.parametrize(
    ("age_s", "taken"), [(0, True), (299, True), (-299, True), (301, False), (-301, False), (86_400, False)]
)
def test_verify_webhook_asks_for_freshness(age_s: int, taken: bool) -> None:
    headers = signed(BODY, at=NOW - timedelta(seconds=age_s))
    if taken:
        assert receive("standard_webhooks", SECRET, headers, BODY)
    else:
        assert "signed" in refusal("standard_webhooks", SECRET, headers, BODY).message


@pytest.mark.parametrize(
    "change",
    [{"Webhook-Signature": ""}, {"Webhook-Signature": "v1,"}, {"Webhook-Signature": "rubbish"}, {"Webhook-Signature": "v2,abc v1,é"},
     {"Webhook-Timestamp": "now"}, {"Webhook-Timestamp": "9" * 40}, {"Webhook-Id": ""}, {"Webhook-Id": "msg_2"}],
)  # fmt: skip
def test_verify_webhook_refuses_headers_that_were_touched(change: dict[str, str]) -> None:
    error = refusal("standard_webhooks", SECRET, {**signed(BODY), **change}, BODY)
    assert (error.code, error.http_status) == ("bad_signature", 401)
    assert KEY not in error.message


BAD_BODIES = [
    b"{", b"", b"[]", b"\xff\xfe", b"5", b'"text"', b"null", b'{"type": "x"}', b'{"data": {}}', b'{"type": "", "data": {}}', b'{"type": "x", "data": []}',
    b'{"type": "x", "data": {}, "timestamp": "yesterday"}', b'{"type": "x", "data": {"a": NaN}}', b'{"type": "x", "data": {"a": "\\u0000"}}',
    b'{"type": "x", "type": "y", "data": {}}', json.dumps([{"type": "x", "data": {}}] * 1001).encode(),
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES)
def test_verify_webhook_keeps_what_is_known_of_a_body_it_cannot_read(body: bytes) -> None:
    error = refusal("standard_webhooks", SECRET, signed(body), body)
    assert (error.code, error.http_status) == ("bad_body", 400)
    assert error.context["source_event_id"] == "msg_1"
    assert error.context["errors"]
    assert len(error.message) < 800


def test_verify_webhook_without_its_secret_names_the_variable() -> None:
    connector = build(name="crm", spec={"webhook": {"secret": {"env": "MESHLINE_TEST_NOT_SET"}}})
    with pytest.raises(Misconfigured, match="MESHLINE_TEST_NOT_SET"):
        connector.verify_webhook(headers={}, body=b"", now=NOW)


def test_verify_webhook_without_a_webhook_section_is_misconfigured() -> None:
    with pytest.raises(ConnectorError, match="spec.webhook"):
        build(name="crm", spec={}).verify_webhook(headers={}, body=b"{}", now=NOW)
