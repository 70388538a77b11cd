"""Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header): an unsafe call that is repeated is answered, not repeated.

Same key and same request: the stored answer, with `Idempotency-Replayed: true`. In flight: 409. Other request: 422. Kept for 24 hours.
A call that ended in an error changed nothing and is not stored: its repetition does the work.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel.errors import Conflict, Invalid
from meshline.kernel.models import IdempotencyRecord

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_FOR = timedelta(hours=24)
IN_FLIGHT_FOR = timedelta(
    minutes=5
)  # longer than any request lives; after it, the process that claimed the key is dead
SWEPT_AT_ONCE = 50
KEY = re.compile(r'"[\x21\x23-\x7e ]{1,255}"|[\x21\x23-\x7e]{1,255}')
JSON = "application/json"


class LengthRequired(Invalid):
    """A body in chunks has no length, so Django does not read it, and one key could stand for two bodies."""

    default_code = "length_required"
    http_status = 411


Handler = TypeVar("Handler", bound=Callable[..., Any])


class BadKey(Invalid):
    default_code = "bad_idempotency_key"
    http_status = 400


def idempotent(handler: Handler | None = None, *, atomic: bool = True) -> Any:
    """Decorates a view's unsafe method. Its effect and the stored answer are one transaction, unless `atomic=False` (for what calls outside)."""
    return _decorated(handler, atomic) if handler else lambda found: _decorated(found, atomic)


def is_idempotent(handler: Callable[..., Any]) -> bool:
    """Whether a view's method honours the header; a test asks it of every unsafe one."""
    return getattr(handler, "honours_idempotency_key", False)


def _decorated(handler: Handler, atomic: bool) -> Callable[..., HttpResponseBase]:
    @wraps(handler)
    def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        header = request.headers.get(HEADER)
        if header is None:
            return handler(view, request, *args, **kwargs)  # type: ignore[no-any-return]
        record, stored = _claim(request, _key(header))
        if stored:
            return _replayed(record)
        return _first(record, lambda: handler(view, request, *args, **kwargs), atomic=atomic)

    answer.honours_idempotency_key = True  # type: ignore[attr-defined]
    return answer


def _first(record: IdempotencyRecord, work: Callable[[], HttpResponseBase], *, atomic: bool) -> HttpResponseBase:
    block: AbstractContextManager[Any] = transaction.atomic() if atomic else nullcontext()
    try:
        with block:
            response = work()
            _store(record, response)
    except BaseException:
        IdempotencyRecord.objects.filter(pk=record.pk, status=0, created_at=record.created_at).delete()
        raise
    return response


def _claim(request: Request, key: str) -> tuple[IdempotencyRecord, bool]:
    """The record of this call, and whether its answer is stored. Raises Conflict while another call has it, Invalid for another request."""
    _sweep()
    principal = _principal(request)
    fingerprint = _fingerprint(request)
    for _ in range(2):
        try:
            with transaction.atomic():
                return IdempotencyRecord.objects.create(principal=principal, key=key, fingerprint=fingerprint), False
        except IntegrityError:  # the unique constraint decides which of two calls is the first
            found = IdempotencyRecord.objects.filter(principal=principal, key=key).first()
        if found and found.created_at >= timezone.now() - KEPT_FOR:
            return _known(found, key=key, fingerprint=fingerprint)
        IdempotencyRecord.objects.filter(
            principal=principal, key=key, created_at__lt=timezone.now() - KEPT_FOR
        ).delete()
    raise _in_flight(key)


def _principal(request: Request) -> str:
    """The token, or the person of a session, by public id."""
    caller: Any = request.auth if hasattr(request.auth, "public_id") else request.user
    return str(caller.public_id)


def _known(found: IdempotencyRecord, *, key: str, fingerprint: str) -> tuple[IdempotencyRecord, bool]:
    if found.fingerprint != fingerprint:
        raise Invalid(
            f"The {HEADER} {key[:60]!r} was used for another request. Make a new key for each new request.",
            code="idempotency_key_reused",
        )
    if found.status:
        return found, True
    now = timezone.now()
    abandoned = IdempotencyRecord.objects.filter(
        pk=found.pk, status=0, created_at=found.created_at, created_at__lt=now - IN_FLIGHT_FOR
    )
    if not abandoned.update(created_at=now):
        raise _in_flight(key)
    found.created_at = now
    return found, False


def _store(record: IdempotencyRecord, response: HttpResponseBase) -> None:
    """Raises Conflict, undoing the work, where another call has taken the key over meanwhile."""
    if response.status_code >= 500:
        return
    mine = IdempotencyRecord.objects.filter(pk=record.pk, status=0, created_at=record.created_at)
    body = JSONRenderer().render(response.data) if isinstance(response, Response) else getattr(response, "content", b"")
    kind = (isinstance(response, Response) and response.content_type) or response.headers.get("Content-Type", JSON)
    if not mine.update(status=response.status_code, body=body.decode(), content_type=kind[:100]):
        raise _in_flight(record.key)


def _replayed(record: IdempotencyRecord) -> HttpResponse:
    return HttpResponse(record.body, status=record.status, content_type=record.content_type, headers={REPLAYED: "true"})


def _in_flight(key: str) -> Conflict:
    return Conflict(
        f"A request with the {HEADER} {key[:60]!r} is being worked on. Ask again in a second.",
        code="idempotency_key_in_flight",
        retryable=True,
    )


def _key(header: str) -> str:
    found = header.strip()
    if not KEY.fullmatch(found):
        raise BadKey(f"The {HEADER} header must hold 1 to 255 visible ASCII characters, for example a UUID.")
    return found.strip('"')


def _fingerprint(request: Request) -> str:
    """Of method, address, body, and the headers that are content (CloudEvents in binary mode has its attributes there)."""
    raw = request._request
    if "chunked" in raw.headers.get("Transfer-Encoding", "").lower():
        raise LengthRequired(f"A request with an {HEADER} needs a Content-Length: send its body whole, not in chunks.")
    content = sorted(
        (name.lower(), value) for name, value in raw.headers.items() if name.lower().startswith(("ce-", "meshline-"))
    )
    parts = [raw.method, raw.get_full_path(), raw.headers.get("Content-Type", ""), repr(content)]
    return hashlib.sha256("\n".join(str(part) for part in parts).encode() + b"\n" + raw.body).hexdigest()


def _sweep() -> None:
    """Forget a few answers that are older than a day, so that the table stays as small as a day is."""
    with transaction.atomic():
        old = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
        found = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:SWEPT_AT_ONCE])
        if found:
            IdempotencyRecord.objects.filter(pk__in=found).delete()
