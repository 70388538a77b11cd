"""Errors as problem documents (RFC 9457). The `detail` is the error's own sentence; of a defect of ours only the request id is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from meshline.kernel import jsontext
from meshline.kernel.errors import MeshlineError

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"
TYPE_ROOT = "/api/v1/docs/problems/"
RETRY_AFTER_S = 5
DATABASE_DOWN = "The database does not answer. Nothing was changed. Try again in a few seconds."
OUT_OF_RANGE = "A number, time or text in the request is larger than can be kept or compared. Nothing was changed."
DEFECT = "Something went wrong here, and it is not your request. Nothing of it was kept. Tell us this request id: {request_id}."
DRF_CODES = {
    "not_authenticated": "not_authenticated",
    "permission_denied": "not_allowed",
    "parse_error": "bad_json",
    "error": "error",
}


def problem_response(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to any exception of an API view. REST framework calls it (`EXCEPTION_HANDLER`); it never lets one through."""
    set_rollback()
    document, headers = described(error, _request_id(context.get("request")))
    return Response(document, status=document["status"], content_type=CONTENT_TYPE, headers=headers)


def unknown_address(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Every address below /api/ that no operation has."""
    hint = "" if request.path.endswith("/") else " Addresses end with a slash."
    detail = f"There is nothing at {request.path[:200]}.{hint} See /api/v1/docs/."
    document = problem(status=404, code="unknown_address", detail=detail, instance=_request_id(request))
    return HttpResponse(jsontext.dumps(document), status=404, content_type=CONTENT_TYPE)


unknown_address.csrf_exempt = True  # type: ignore[attr-defined]  # it changes nothing, and a program has no CSRF token


def problem(
    *,
    status: int,
    code: str,
    detail: str,
    instance: str,
    retryable: bool = False,
    errors: list[dict[str, Any]] | None = None,
    **context: Any,
) -> dict[str, Any]:
    """A problem document. `instance` is the request id; `errors` lists {field, message}."""
    title = HTTPStatus(status).phrase
    about = {
        "type": TYPE_ROOT + code,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "retryable": retryable,
    }
    return {**about, "errors": errors or [], **({"context": context} if context else {})}


def described(error: Exception, request_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    match error:
        case MeshlineError():
            return _ours(error, request_id)
        case exceptions.ValidationError():
            errors = list(_field_errors(error.detail))
            return problem(status=422, code="invalid", detail=_summary(errors), instance=request_id, errors=errors), {}
        case exceptions.APIException():
            return _frameworks(error, request_id)
        case Http404():
            return problem(status=404, code="not_found", detail="There is nothing by that id.", instance=request_id), {}
        case PermissionDenied():
            return problem(
                status=403, code="not_allowed", detail=str(error) or "You may not do that.", instance=request_id
            ), {}
        case RequestDataTooBig():
            return problem(
                status=413,
                code="body_too_large",
                detail="The body is too large. Send less at once.",
                instance=request_id,
            ), {}
        case DataError():
            log.warning("request %s: the database cannot hold a value: %s", request_id, error)
            return problem(status=400, code="value_out_of_range", detail=OUT_OF_RANGE, instance=request_id), {}
        case OperationalError() | InterfaceError():
            log.warning("database down for request %s: %s", request_id, error)
            found = problem(status=503, code="database_down", detail=DATABASE_DOWN, instance=request_id, retryable=True)
            return found, {"Retry-After": str(RETRY_AFTER_S)}
    log.error("request %s failed", request_id, exc_info=error)
    return problem(status=500, code="internal", detail=DEFECT.format(request_id=request_id), instance=request_id), {}


def _ours(error: MeshlineError, request_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    context = dict(error.context)
    errors = context.pop("errors", None)
    headers = (
        {"Retry-After": str(context.get("retry_after_s", RETRY_AFTER_S))} if error.http_status in (429, 503) else {}
    )
    if error.code == "missing_scope":
        headers["WWW-Authenticate"] = f'Bearer realm="meshline", error="insufficient_scope", scope="{context["scope"]}"'
    found = problem(
        status=error.http_status,
        code=error.code,
        detail=error.message,
        instance=request_id,
        retryable=error.retryable,
        errors=errors,
    )
    return {**found, **({"context": _plain(context)} if context else {})}, headers


def _frameworks(error: exceptions.APIException, request_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    wait_s = getattr(error, "wait", None)
    if wait_s is not None:
        headers["Retry-After"] = str(int(wait_s) + 1)
    codes = error.get_codes()
    code = DRF_CODES.get(str(codes), str(codes)) if isinstance(codes, str) else "error"
    retryable = error.status_code in (429, 503)
    return problem(
        status=error.status_code, code=code, detail=str(error.detail), instance=request_id, retryable=retryable
    ), headers


def _field_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """REST framework's nested errors as a flat list; `lines[2].price` names a place."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from _field_errors(inner, own)
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            yield from _field_errors(inner, path if isinstance(inner, str) else f"{path}[{place}]")
    else:
        yield {"field": path, "message": str(detail)}


def _summary(errors: list[dict[str, str]]) -> str:
    told = "; ".join(f"{item['field']}: {item['message']}" if item["field"] else item["message"] for item in errors[:3])
    more = f" And {len(errors) - 3} more." if len(errors) > 3 else ""
    return f"The request cannot be accepted. {told}{more}"


def _plain(context: dict[str, Any]) -> Any:
    return jsontext.parse(jsontext.dumps(context))


def _request_id(request: Any) -> str:
    return str(getattr(request, "request_id", ""))
