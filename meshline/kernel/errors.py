"""The one root of our errors. The message is shown to people unchanged: in the API, on pages, on standard error.

A message says what happened, to which ids, and what to do next.
"""

from __future__ import annotations

from typing import Any


class MeshlineError(Exception):
    """A known failure.

    Attributes:
        code: permanent lower_snake identifier, for programs.
        message: a sentence fit for a person.
        retryable: whether the same call may succeed later, unchanged.
        context: further facts, JSON-compatible.
        http_status: what the REST API answers (RFC 9457 `status`).
    """

    default_code = "error"
    http_status = 400

    def __init__(
        self, message: str, *, code: str | None = None, retryable: bool = False, context: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.retryable = retryable
        self.context = context or {}


class Invalid(MeshlineError):
    """Input that cannot be accepted as it is. `context["errors"]` may list {field, message}."""

    default_code = "invalid"
    http_status = 422


class NotAllowed(MeshlineError):
    """This person or token may not do that. The same sentence is the disabled button's tooltip."""

    default_code = "not_allowed"
    http_status = 403


class Missing(MeshlineError):
    """Nothing by that id."""

    default_code = "not_found"
    http_status = 404


class Conflict(MeshlineError):
    """The record is not in a state that allows it: somebody else was first, or the step is not legal from here."""

    default_code = "conflict"
    http_status = 409


class Unavailable(MeshlineError):
    """A part we need (database, broker) does not answer. The caller may try again."""

    default_code = "unavailable"
    http_status = 503

    def __init__(self, message: str, *, code: str | None = None, context: dict[str, Any] | None = None) -> None:
        super().__init__(message, code=code, retryable=True, context=context)
