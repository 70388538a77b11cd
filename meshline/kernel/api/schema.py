"""What every operation of the OpenAPI document has in common, added once: problem answers, the Idempotency-Key header, the request id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

UNSAFE = ("post", "put", "patch", "delete")
PROBLEM_REF = "#/components/schemas/Problem"
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. `detail` is a sentence for people, `code` is for programs and permanent.",
    "required": ["type", "title", "status", "detail", "instance", "code", "retryable", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/api/v1/docs/problems/missing_scope"]},
        "title": {"type": "string", "examples": ["Forbidden"]},
        "status": {"type": "integer", "examples": [403]},
        "detail": {"type": "string"},
        "instance": {
            "type": "string",
            "description": "the request id, also in X-Request-Id",
            "examples": ["req_06c7m0f2k1q9d8aa"],
        },
        "code": {"type": "string", "examples": ["missing_scope"]},
        "retryable": {"type": "boolean", "description": "whether the same request may succeed later"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": True,
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "context": {"type": "object", "additionalProperties": True},
    },
}
ANSWERS = {
    "400": "The request cannot be read: malformed JSON, an unknown query parameter, a bad cursor.",
    "401": "No credential, or one that is unknown, expired or revoked.",
    "403": "The token lacks the scope, or the person the role.",
    "404": "There is nothing by that id.",
    "405": "This address does not take this method.",
    "406": "Only JSON is answered.",
    "408": "The body was not here in time.",
    "409": "The record's state does not allow it, somebody was first, or a request with this Idempotency-Key is in flight.",
    "411": "A body with an Idempotency-Key needs a Content-Length.",
    "413": "The body is too large.",
    "415": "Only JSON is read.",
    "422": "The content cannot be accepted, or the Idempotency-Key was used for another request.",
    "429": "Too many requests: see Retry-After.",
    "500": "A defect of ours; the request id names it.",
    "502": "The connected system does not answer, or not as it should; `detail` says how.",
    "503": "A part of Meshline does not answer: see Retry-After.",
}
RETRY_AFTER = {
    "Retry-After": {
        "description": "seconds until the same request may succeed",
        "schema": {"type": "integer", "minimum": 1},
    }
}
ALWAYS = ("400", "401", "403", "405", "406", "429", "500", "503")
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of your own, for example a UUID: a repetition with the same key is answered with the first answer for 24 hours, and not done again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}


def add_what_all_share(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's post-processing hook."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for path, method, operation in _operations(result):
        unsafe = method in UNSAFE
        statuses = [
            *ALWAYS,
            *(["404"] if "{" in path or unsafe else []),
            *(["409", "411", "413", "415", "422"] if unsafe else []),
        ]
        own = [status for status in operation["responses"] if status >= "400"]
        for status in sorted({*statuses, *own}):
            operation["responses"][status] = _answer(status)
        if unsafe:
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    return result


def _operations(result: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _answer(status: str) -> dict[str, Any]:
    found = {
        "description": ANSWERS[status],
        "content": {"application/problem+json": {"schema": {"$ref": PROBLEM_REF}}},
    }
    return {**found, "headers": RETRY_AFTER} if status in ("429", "503") else found
