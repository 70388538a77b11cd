"""Who signed this webhook: one function for each vendor's scheme, compared in constant time. Pure; the clock is handed in.

Standard Webhooks 1.0; HubSpot "Validating requests" v3; Shopify, Stripe and Zendesk webhook documentation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook as StandardWebhook
from standardwebhooks.webhooks import hmac_data

from syncflows.connectors.errors import BadWebhook, Misconfigured

# HubSpot decodes these, and no other, in the address it signs.
HUBSPOT_DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'",
    "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip


@dataclass(frozen=True)
class Delivery:
    """One delivery as it came. headers: lower-case names. uri: the full address it was sent to, as the sender wrote it."""

    headers: Mapping[str, str]
    body: bytes
    uri: str = ""

    def header(self, name: str) -> str:
        """Raises BadWebhook where it is missing."""
        value = self.headers.get(name, "").strip()
        if not value:
            raise refused(f"the header {name} is missing")
        return value


Verify = Callable[..., None]


def refused(why: str) -> BadWebhook:
    return BadWebhook(
        f"The webhook cannot be trusted: {why}. Check secret and scheme on both sides.", code="bad_signature"
    )


def verify(
    scheme: str, *, delivery: Delivery, secrets: list[str], now: datetime, tolerance_s: int, header: str = ""
) -> None:
    """Returns where one of the secrets signed this delivery lately. Raises BadWebhook, and Misconfigured for an unusable secret."""
    SCHEMES[scheme](delivery, secrets=secrets, now=now, tolerance_s=tolerance_s, header=header)


def _standard(delivery: Delivery, *, secrets: list[str], now: datetime, tolerance_s: int, header: str) -> None:
    message_id, stamp = delivery.header("webhook-id"), delivery.header("webhook-timestamp")
    _fresh(_epoch(stamp, unit_s=1), now=now, tolerance_s=tolerance_s)
    signed = f"{message_id}.{stamp}.".encode() + delivery.body
    given = [part[3:] for part in delivery.header("webhook-signature").split() if part.startswith("v1,")]
    _match(given, [_base64(hmac_data(_standard_key(secret), signed)) for secret in secrets])


def _hubspot(delivery: Delivery, *, secrets: list[str], now: datetime, tolerance_s: int, header: str) -> None:
    stamp, given = delivery.header("x-hubspot-request-timestamp"), delivery.header("x-hubspot-signature-v3")
    if not delivery.uri:
        raise refused("HubSpot signs the address it sent to, and the address is not known")
    _fresh(_epoch(stamp, unit_s=0.001), now=now, tolerance_s=tolerance_s)
    signed = [
        f"POST{uri}".encode() + delivery.body + stamp.encode() for uri in {delivery.uri, _hubspot_uri(delivery.uri)}
    ]
    _match([given], [_base64(hmac_data(secret.encode(), text)) for secret in secrets for text in signed])


def _shopify(delivery: Delivery, *, secrets: list[str], now: datetime, tolerance_s: int, header: str) -> None:
    """Shopify signs no time: freshness rests on the webhook's id alone."""
    given = delivery.header("x-shopify-hmac-sha256")
    _match([given], [_base64(hmac_data(secret.encode(), delivery.body)) for secret in secrets])


def _stripe(delivery: Delivery, *, secrets: list[str], now: datetime, tolerance_s: int, header: str) -> None:
    pairs = [part.strip().partition("=") for part in delivery.header("stripe-signature").split(",")]
    stamp = next((value for name, _, value in pairs if name == "t"), "")
    _fresh(_epoch(stamp, unit_s=1), now=now, tolerance_s=tolerance_s)
    signed = f"{stamp}.".encode() + delivery.body
    given = [value for name, _, value in pairs if name == "v1"]
    _match(given, [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets])


def _zendesk(delivery: Delivery, *, secrets: list[str], now: datetime, tolerance_s: int, header: str) -> None:
    stamp, given = (
        delivery.header("x-zendesk-webhook-signature-timestamp"),
        delivery.header("x-zendesk-webhook-signature"),
    )
    _fresh(_zendesk_time(stamp), now=now, tolerance_s=tolerance_s)
    signed = stamp.encode() + delivery.body
    _match([given], [_base64(hmac_data(secret.encode(), signed)) for secret in secrets])


def _shared(delivery: Delivery, *, secrets: list[str], now: datetime, tolerance_s: int, header: str) -> None:
    if not header:
        raise Misconfigured("spec.webhook.header is missing: name the header that must equal the secret.")
    _match([delivery.header(header.lower())], secrets)


SCHEMES: dict[str, Verify] = {
    "standard_webhooks": _standard,
    "hubspot_v3": _hubspot,
    "shopify": _shopify,
    "stripe": _stripe,
    "zendesk": _zendesk,
    "shared_secret": _shared,
}


def _match(given: list[str], expected: list[str]) -> None:
    """Every pair is compared, in constant time."""
    results = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected]
    if not any(results):
        raise refused("the signature does not fit")


def _standard_key(secret: str) -> bytes:
    """The key within `whsec_…`, after the library has accepted it."""
    try:
        StandardWebhook(secret)
        return base64.b64decode(secret.removeprefix("whsec_") + "==")
    except (ValueError, binascii.Error, RuntimeError) as error:
        raise Misconfigured(
            "spec.webhook.secret is not whsec_ followed by base64, as Standard Webhooks says."
        ) from error
    except Exception as error:
        raise Misconfigured("spec.webhook.secret is empty.") from error


def _fresh(at: datetime, *, now: datetime, tolerance_s: int) -> None:
    age_s = (now - at).total_seconds()
    if abs(age_s) > tolerance_s:
        when = "old" if age_s > 0 else "in the future"
        raise refused(
            f"it was signed {abs(round(age_s))} s {when}, more than the {tolerance_s} s allowed (tolerance_s); compare the clocks"
        )


def _epoch(text: str, *, unit_s: float) -> datetime:
    try:
        return datetime.fromtimestamp(int(text) * unit_s, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise refused("its time stamp cannot be read") from error


def _zendesk_time(text: str) -> datetime:
    """ISO 8601; seconds in older deliveries."""
    if text.isdigit():
        return _epoch(text, unit_s=1)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise refused("its time stamp cannot be read") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _hubspot_uri(uri: str) -> str:
    for encoded, plain in HUBSPOT_DECODED.items():
        uri = uri.replace(encoded, plain).replace(encoded.lower(), plain)
    return uri


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
