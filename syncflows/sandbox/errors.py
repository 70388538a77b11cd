"""What the sandbox's systems answer when they refuse. One shape for all: {"error": {code, message, details}}."""

from typing import Any


class ApiError(Exception):
    """A refusal with the HTTP status it is answered with."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details or []
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


class SandboxStartError(Exception):
    """The sandbox cannot start; the message says what to do about it."""


def bad_json(message: str) -> ApiError:
    return ApiError(400, "bad_json", message)


def not_found(what: str, key: str) -> ApiError:
    return ApiError(404, "not_found", f"There is no {what} {key!r}.")


def conflict(code: str, message: str, **detail: Any) -> ApiError:
    return ApiError(409, code, message, details=[detail] if detail else None)


def invalid(*problems: tuple[str, str]) -> ApiError:
    """422 from (field, message) pairs."""
    details = [{"field": field, "message": message} for field, message in problems]
    summary = "; ".join(f"{field}: {message}" for field, message in problems[:3])
    return ApiError(422, "validation_failed", f"The request was not accepted. {summary}", details=details)
