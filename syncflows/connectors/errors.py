"""The only errors a connector may raise. The engine turns them into outcomes; nothing else crosses this border."""

from __future__ import annotations

from typing import Any

from meshline.kernel.errors import MeshlineError

# Why a call was not even made, for reasons of ours: says nothing of the far side, and is not one of the tries it has.
OURS = frozenset({"own_rate_limit", "own_concurrency", "not_admitted", "lease_lost", "pool_exhausted"})


class ConnectorError(MeshlineError):
    """Root. `context` holds what the far side said: status, code, an excerpt of the body. Never credentials."""

    default_code = "connector_error"


class Transient(ConnectorError):
    """It did not happen, and the same call may work later: connection refused before sending, 503, lock conflict."""

    default_code = "transient"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after_s: float | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, retryable=True, context=context)
        self.retry_after_s = retry_after_s


class RateLimited(Transient):
    """429 or the like; `retry_after_s` where the far side says."""

    default_code = "rate_limited"


class Outage(Transient):
    """The system as a whole is not there: unreachable, maintenance."""

    default_code = "system_unreachable"


class AuthRefused(Outage):
    """Our credential is refused: nothing will work until somebody renews it."""

    default_code = "authentication_refused"


class Rejected(ConnectorError):
    """It did not happen and will not: the far side refuses this document. `context["details"]` lists {field, message}."""

    default_code = "rejected"


class Accounting(Rejected):
    """Refused for a reason of the books: closed period, posted document, applied credit."""

    default_code = "accounting"


class Duplicate(Rejected):
    """The far side already has a document of that reference; `context["found"]` may hold it."""

    default_code = "duplicate"


class NotFound(Rejected):
    """The document or customer that the call is about does not exist there."""

    default_code = "not_found_there"


class OutcomeUnknown(ConnectorError):
    """The request went out and no trustworthy answer came back. It may have happened: probe before sending again."""

    default_code = "outcome_unknown"

    def __init__(self, message: str, *, context: dict[str, Any] | None = None) -> None:
        super().__init__(message, retryable=True, context=context)


class Misconfigured(ConnectorError):
    """The system's definition cannot work: an operation or setting is missing or wrong. Names the path in the document."""

    default_code = "misconfigured"


class BadWebhook(ConnectorError):
    """A webhook that cannot be trusted or read. `code` bad_signature (401) or bad_body (400; `context` says what is known of it)."""

    default_code = "bad_signature"

    def __init__(self, message: str, *, code: str | None = None, context: dict[str, Any] | None = None) -> None:
        super().__init__(message, code=code, context=context)
        self.http_status = 401 if self.code == self.default_code else 400
