"""`kind: System`: a connected application, and for `connector: http` everything there is to know about its API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from syncflows.governance.schemas.base import Cel, Strict
from syncflows.governance.schemas.intake import Intake
from syncflows.governance.schemas.retries import Retry, RetryChange


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
    settle_s: float | None = Field(
        default=None, ge=0, le=3600, description="for this look-up, in place of timeouts.settle_s"
    )
    looks: int = Field(
        default=1,
        ge=1,
        le=20,
        description="how many look-ups in a row must find nothing before a document is not there",
    )


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


class RateLimit(Strict):
    """How many calls, over all workers together: in any time at most `burst` more than the rate alone would allow. Both rates given: both hold."""

    per_second: float | None = Field(default=None, gt=0, le=100_000)
    per_minute: float | None = Field(default=None, gt=0, le=6_000_000)
    burst: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="calls at once after a quiet time; default: one second's worth, at least 1",
    )

    @model_validator(mode="after")
    def _says_something(self) -> RateLimit:
        if self.per_second is None and self.per_minute is None:
            raise ValueError(
                "says no rate. Give per_second or per_minute (or both), or leave rate_limit out for no limit."
            )
        return self


class Breaker(Strict):
    """When calls stop by themselves, and how they begin again. Refusals of a document (422) never count; time-outs, 5xx and unreachability do."""

    failure_rate: float | None = Field(
        default=0.5,
        gt=0,
        le=1,
        description="share of failed calls in the window that opens the circuit; null: never by rate",
    )
    minimum_calls: int = Field(default=20, ge=1, le=100_000, description="fewer calls in the window say nothing")
    window_s: float = Field(default=60, ge=1, le=3600)
    consecutive_outages: int = Field(
        default=3, ge=1, le=1000, description="calls in a row that could not even reach it"
    )
    slow_call_s: float | None = Field(
        default=None, gt=0, le=600, description="a call that takes longer is slow; null: none is"
    )
    slow_rate: float = Field(default=0.8, gt=0, le=1, description="share of slow calls that opens the circuit")
    open_s: float = Field(
        default=5,
        gt=0,
        le=3600,
        description="how long no call is made before one real item tries; doubles each time it fails",
    )
    open_s_cap: float = Field(default=60, gt=0, le=86_400, description="the longest wait between two tries")
    half_open_calls: Literal[1] = Field(default=1, description="how many calls try whether it is well: always one")

    @model_validator(mode="after")
    def _cap_is_no_less(self) -> Breaker:
        if self.open_s_cap < self.open_s:
            raise ValueError(f"open_s_cap ({self.open_s_cap:g}) is below open_s ({self.open_s:g}). Raise open_s_cap.")
        return self


class Operation(Strict):
    """One thing the system can be asked to do. Placeholders in path, query and headers: {reference} {idempotency_key} {external_id}
    {since} {until} (ISO 8601) {since_date} {until_date}. `body` reads document, reference, idempotency_key."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Cel | None = None
    guard: Literal["idempotency_key", "upsert_by_external_id", "unique_reference", "lookup", "none"] = "lookup"
    undoes: str = Field(
        default="", description="the operation whose document this one takes back; its `find` finds what was taken back"
    )
    success: list[int] = [200, 201, 202, 204]
    external_id: Cel | None = Field(default=None, description="reads answer, headers, document")
    document: Cel | None = Field(default=None, description="the document within the answer; default: the answer")
    find: Find | None = None
    items: Cel | None = Field(default=None, description="for lists: the items within the answer")
    paging: Paging = Paging()
    errors: list[ErrorRule] = []
    rate_limit: RateLimit | None = Field(default=None, description="for this operation alone, within the system's own")
    retry: RetryChange | None = Field(default=None, description="where it differs from the System's")


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


class System(Strict):
    connector: str = "http"
    environment: Literal["production", "sandbox", "test"] = "production"
    base_url: str | Secret = ""
    auth: Auth = Auth()
    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    concurrency: int = Field(default=8, ge=1, le=512, description="calls under way at once, over all workers together")
    rate_limit: RateLimit | None = Field(default=None, description="over all workers together; default: none")
    breaker: Breaker = Breaker()
    webhook: Webhook | None = None
    ingest: Intake | None = Field(
        default=None, description="how much it may send, and whether it waits first when work piles up"
    )
    operations: dict[str, Operation] = {}
    errors: list[ErrorRule] = Field(default=[], description="for every operation, after its own")
    health: str = Field(default="", description="path answering 2xx when all is well and our credential is good")
    options: dict[str, Any] = Field(
        default={}, description="settings of connectors other than http; they validate them"
    )
