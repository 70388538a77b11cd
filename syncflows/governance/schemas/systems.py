"""`kind: System`: a connected application, and for `connector: http` everything there is to know about its API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from syncflows.governance.schemas.base import Cel, Strict


class Secret(Strict):
    """A value taken from the environment when it is used. Secrets are never part of a definition; `default` is for demos on one machine."""

    env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    default: str | None = None


class Auth(Strict):
    type: Literal["none", "bearer", "basic", "header", "oauth2_client_credentials"] = "none"
    token: Secret | None = None
    username: Secret | None = None
    password: Secret | None = None
    name: str = Field(default="", description="header's name, for type header")
    value: Secret | None = None
    token_url: str = ""
    client_id: Secret | None = None
    client_secret: Secret | None = None
    scope: str = ""


class Timeouts(Strict):
    """Seconds. `settle_s`: how long after sending an unanswered write may still take effect there; no probe counts as "not there" before."""

    connect_s: float = Field(default=3, gt=0, le=120)
    read_s: float = Field(default=10, gt=0, le=600)
    settle_s: float = Field(default=15, ge=0, le=3600)


class Retry(Strict):
    """Full jitter: uniform between 0 and min(cap, base * factor ** (attempt - 1)) seconds; Retry-After is honoured on top."""

    base_s: float = Field(default=2, gt=0)
    factor: float = Field(default=2, ge=1)
    cap_s: float = Field(default=300, gt=0)
    max_attempts: int = Field(default=10, ge=1, le=100)


class Find(Strict):
    """How to look a document up by our reference. Placeholders in path and query: {reference}."""

    method: Literal["GET", "POST"] = "GET"
    path: str
    query: dict[str, str] = {}
    body: Cel | None = None
    items: Cel = "answer.items"
    match: Cel | None = Field(
        default=None, description="true for an item that really carries the reference; reads item, reference"
    )
    external_id: Cel = Field(description="reads item")


class ErrorRule(Strict):
    """What an answer means. Reads status (int), answer (JSON or null), headers (lower-case names). The first that is true counts."""

    when: Cel
    raises: Literal[
        "transient",
        "rate_limited",
        "outage",
        "auth_refused",
        "rejected",
        "accounting",
        "duplicate",
        "not_found",
        "unknown",
    ]
    message: Cel | None = None


class Paging(Strict):
    """cursor: next value from `next`, sent as `param`. page: 1, 2, 3… until a page is empty. link: next address in `next` or the Link header."""

    type: Literal["none", "cursor", "page", "offset", "link"] = "none"
    param: str = "cursor"
    next: Cel | None = None
    size: int = Field(default=200, ge=1, le=5000)
    size_param: str = ""


class Operation(Strict):
    """One thing the system can be asked to do. Placeholders in path, query and headers: {reference} {idempotency_key} {external_id}
    {since} {until} (ISO 8601) {since_date} {until_date}. `body` reads document, reference, idempotency_key."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Cel | None = None
    guard: Literal["idempotency_key", "upsert_by_external_id", "unique_reference", "lookup", "none"] = "lookup"
    success: list[int] = [200, 201, 202, 204]
    external_id: Cel | None = Field(default=None, description="reads answer, headers, document")
    document: Cel | None = Field(default=None, description="the document within the answer; default: the answer")
    find: Find | None = None
    items: Cel | None = Field(default=None, description="for lists: the items within the answer")
    paging: Paging = Paging()
    errors: list[ErrorRule] = []


class Webhook(Strict):
    """How the system signs and shapes what it sends to `/ingest/<system>/`. Expressions read body (JSON) and headers (lower-case names)."""

    scheme: Literal["standard_webhooks", "hubspot_v3", "shopify", "stripe", "zendesk", "shared_secret"] = (
        "standard_webhooks"
    )
    secret: Secret
    header: str = Field(default="", description="for shared_secret: the header that must equal the secret")
    tolerance_s: int = Field(default=300, ge=0)
    type: Cel = "body.type"
    event_id: Cel | None = Field(default=None, description="default: the scheme's own id header")
    occurred_at: Cel | None = None
    sequence: Cel | None = None
    payload: Cel = "body.data"


class RateLimit(Strict):
    per_second: float = Field(gt=0)


class System(Strict):
    connector: str = "http"
    environment: Literal["production", "sandbox", "test"] = "production"
    base_url: str | Secret = ""
    auth: Auth = Auth()
    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    concurrency: int = Field(default=8, ge=1, le=64)
    rate_limit: RateLimit | None = None
    webhook: Webhook | None = None
    operations: dict[str, Operation] = {}
    errors: list[ErrorRule] = Field(default=[], description="for every operation, after its own")
    health: str = Field(default="", description="path answering 2xx when all is well and our credential is good")
    options: dict[str, Any] = Field(
        default={}, description="settings of connectors other than http; they validate them"
    )
