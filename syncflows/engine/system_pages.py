"""What the page of a system shows of its definition and of its last calls. Must never show a secret, nor the default of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.db.models import Count, Q
from django.utils import timezone

from syncflows.connectors.protocol import Connector
from syncflows.engine import retry
from syncflows.engine.connections import connection
from syncflows.engine.enums import AttemptStatus
from syncflows.engine.flow_words import GUARDS
from syncflows.engine.models import WriteAttempt
from syncflows.governance.catalog import Versioned
from syncflows.governance.schemas import Secret
from syncflows.governance.schemas.systems import Breaker, RateLimit

ATTEMPTS_SHOWN = 15
# The newest attempts of all systems that are looked through, so that the page costs the same at any age.
ATTEMPTS_SEARCHED = 20_000
SECRET_NAMES = ("key", "token", "secret", "password", "sig")


@dataclass(frozen=True)
class OperationWords:
    name: str
    call: str
    writes: bool
    guard: str


@dataclass(frozen=True)
class Calls:
    """Tries at one system's writes, and how many of them ended in an error."""

    calls: int = 0
    failed: int = 0


def calls_of_a_day() -> dict[str, Calls]:
    """By system, of the last 24 h; what was never sent is no call. One query."""
    after = timezone.now() - timedelta(hours=24)
    rows = WriteAttempt.objects.filter(sent_at__gte=after).exclude(status=AttemptStatus.NOT_SENT).order_by()
    counts = rows.values_list("step__system").annotate(all=Count("pk"), failed=Count("pk", filter=~Q(error="")))
    return {name: Calls(number, failed) for name, number, failed in counts}


def limits(definition: Versioned | None) -> list[str]:
    """How much it may be asked at once, and how often."""
    if definition is None:
        return []
    spec = definition.spec
    return [f"{spec.concurrency} at once", *([rate_words(spec.rate_limit)] if spec.rate_limit else [])]


def rate_words(limit: RateLimit) -> str:
    """Such as "20 calls a second, 600 a minute, 40 at once"."""
    rates = [(limit.per_second, "a second"), (limit.per_minute, "a minute")]
    words = [f"{rate:g} {unit}" for rate, unit in rates if rate]
    return ", ".join([*words, *([f"{limit.burst} at once"] if limit.burst else [])])


def breaker_words(breaker: Breaker) -> str:
    """When its circuit opens by itself."""
    rules = [f"{breaker.consecutive_outages} outages in a row"]
    if breaker.failure_rate is not None:
        rules.append(
            f"{breaker.failure_rate:.0%} of at least {breaker.minimum_calls} calls failed within {breaker.window_s:g} s"
        )
    if breaker.slow_call_s is not None:
        rules.append(f"{breaker.slow_rate:.0%} slower than {breaker.slow_call_s:g} s")
    return f"opens after {' or '.join(rules)}; one item tries after {breaker.open_s:g} s, then up to {breaker.open_s_cap:g} s"


def operations(definition: Versioned) -> list[OperationWords]:
    """As defined (http), or as the connector says it can do. Without either, none."""
    declared = definition.spec.operations
    if declared:
        return [
            OperationWords(
                name,
                f"{item.method} {item.path}",
                item.method != "GET",
                GUARDS[item.guard] if item.method != "GET" else "Only reads.",
            )
            for name, item in declared.items()
        ]
    return [
        OperationWords(item.name, "", item.writes, GUARDS[item.guard.value] if item.writes else "Only reads.")
        for item in _connector(definition).operations().values()
    ]


def settings(definition: Versioned) -> list[tuple[str, Any]]:
    """Address and limits, for `partials/key_values.html`."""
    spec = definition.spec
    rate = f"{spec.rate_limit.per_second:g} calls a second" if spec.rate_limit else "none"
    return [
        ("Address", base_url(spec.base_url)),
        ("Credential", auth_words(spec.auth)),
        ("Health check", spec.health or "none: no `health` path in its definition"),
        ("At once", f"{spec.concurrency} calls"),
        ("Rate limit", rate),
        ("Circuit", breaker_words(spec.breaker)),
        (
            "Time-outs",
            f"connect {spec.timeouts.connect_s:g} s, read {spec.timeouts.read_s:g} s, settle {spec.timeouts.settle_s:g} s",
        ),
        ("Retries", retry.words(spec.retry)),
        ("Webhooks", f"{spec.webhook.scheme.replace('_', ' ')}, signature checked" if spec.webhook else "none"),
    ]


def base_url(value: str | Secret) -> str:
    """The address without user, password and query."""
    if isinstance(value, Secret):
        return f"from the environment: {value.env}"
    parts = urlsplit(value)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if value else ""


def auth_words(auth: Any) -> str:
    """How it logs in, and the names of the variables that hold the secrets; never a value."""
    secrets = [auth.token, auth.username, auth.password, auth.value, auth.client_id, auth.client_secret]
    names = ", ".join(secret.env for secret in secrets if secret)
    return f"{auth.type.replace('_', ' ')}{f', from {names}' if names else ''}"


def recent_errors(system: str) -> list[WriteAttempt]:
    """The newest attempts at this system that did not go well, among the last 20,000 of all. Two queries."""
    newest = WriteAttempt.objects.order_by("-pk").values_list("pk", flat=True)  # ids jump where a month begins
    oldest = newest[ATTEMPTS_SEARCHED : ATTEMPTS_SEARCHED + 1].first() or 0
    rows = WriteAttempt.objects.filter(pk__gt=oldest, step__system=system).exclude(error="")
    return list(
        rows.select_related("step__run")
        .only(
            "number",
            "status",
            "error",
            "error_code",
            "intended_at",
            "answered_at",
            "step__name",
            "step__operation",
            "step__run__public_id",
            "step__run__canonical_key",
        )
        .order_by("-pk")[:ATTEMPTS_SHOWN]
    )


def _connector(definition: Versioned) -> Connector:
    return connection(definition)
