"""One request to one of the three systems: credential, faults, transaction, answer.

Handlers are plain functions from a Call to an Answer, run inside one store transaction that never awaits; what is
answered has been committed. A refusal rolls everything back.
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from syncflows.sandbox import faults as fault_rules
from syncflows.sandbox import outbox
from syncflows.sandbox.connections import CutConnection
from syncflows.sandbox.enums import AFTER_COMMIT, BEFORE_COMMIT, FaultKind
from syncflows.sandbox.errors import ApiError, bad_json, invalid
from syncflows.sandbox.fields import check
from syncflows.sandbox.store import Store
from syncflows.sandbox.world import World

MAX_BODY_BYTES = 1024 * 1024
ModelT = TypeVar("ModelT", bound=BaseModel)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    media_type: str = "application/json"

    def render(self) -> Response:
        content = self.content
        if content is None and self.body is not None:
            content = json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()
        return Response(content, self.status, dict(self.headers), self.media_type if content is not None else None)


@dataclass
class Call:
    """What a handler may know of a request."""

    world: World
    system: str
    method: str
    path: str
    keys: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def store(self) -> Store:
        return self.world.store

    def read_json(self) -> Any:
        return parse_json(self.raw)

    def read(self, model: type[ModelT]) -> ModelT:
        return check(model, self.read_json())

    def fire(self, *kinds: FaultKind) -> list[fault_rules.Fault]:
        return self.world.faults.fire(kinds, self.system, self.method, self.path)

    def emit(self, event_type: str, data: dict[str, Any]) -> None:
        """Put a webhook message into the outbox, within the running transaction."""
        outbox.enqueue(
            self.store,
            system=self.system,
            event_type=event_type,
            data=fault_rules.rename_all(data, self.fire(FaultKind.RENAME_FIELD)),
            traceparent=self.continue_trace(),
            copies=1 + len(self.fire(FaultKind.DUPLICATE_WEBHOOK)),
            broken=bool(self.fire(FaultKind.MALFORMED_WEBHOOK)),
        )

    def continue_trace(self) -> str:
        """W3C Trace Context: the caller's trace where it sent one, else a new one."""
        match = _TRACEPARENT.fullmatch(self.headers.get("traceparent", ""))
        trace = match[1] if match else secrets.token_hex(16)
        return f"00-{trace}-{secrets.token_hex(8)}-01"


Handler = Callable[[Call], Answer]


def parse_json(raw: bytes) -> Any:
    """Raises ApiError 400 for what is not JSON by RFC 8259 in UTF-8."""
    try:
        text = raw.decode()
        value = json.loads(text, parse_constant=_refuse_constant)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError:
        raise bad_json("The body is nested too deeply.") from None
    except UnicodeError:
        raise bad_json("The body is not UTF-8 text.") from None
    except ValueError as error:
        raise bad_json(f"The body is not JSON: {str(error)[:200]}.") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


async def read_body(request: Request) -> bytes:
    """Raises ApiError 413."""
    chunks, size_bytes = [], 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes > MAX_BODY_BYTES:
            raise ApiError(413, "too_large", f"The body is larger than {MAX_BODY_BYTES} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


async def open_call(request: Request, world: World, system: str) -> Call:
    return Call(
        world=world,
        system=system,
        method=request.method,
        path=request.scope["path"],
        keys=request.path_params,
        query=request.query_params,
        headers=request.headers,
        raw=await read_body(request),
    )


def endpoint(world: World, system: str, handler: Handler) -> Callable[[Request], Any]:
    return partial(exchange, world=world, system=system, handler=handler)


async def exchange(request: Request, *, world: World, system: str, handler: Handler) -> Response:
    """Carry one request through; the ASGI side of everything above."""
    try:
        call = await open_call(request, world, system)
        authorise(call)
        await _wait(call)
        struck = world.faults.fire_first(BEFORE_COMMIT, system, call.method, call.path)
        if struck:
            return _strike(struck, world)
        answer = run(call, handler)
    except ApiError as error:
        return Answer(error.status, error.body(), error.headers).render()
    except ClientDisconnect:
        return Response(status_code=400)
    struck = world.faults.fire_first(AFTER_COMMIT, system, call.method, call.path)
    if struck:
        with suppress(asyncio.CancelledError):  # the sandbox is being stopped: close without an answer at once
            await asyncio.sleep(struck.params.hang_s or 0)
        return _strike(struck, world)
    return _rename(call, answer).render()


def run(call: Call, handler: Handler) -> Answer:
    """The handler's answer, committed; or the first answer again, where the system is idempotent and asked to be."""
    if call.method == "GET":
        return handler(call)
    key = call.headers.get("idempotency-key") if call.world.settings.of(call.system).idempotent else None
    with call.store.transaction():
        answer = _run_once(call, handler, key) if key and call.method == "POST" else handler(call)
    call.world.wake()
    return answer


def authorise(call: Call) -> None:
    """Raises ApiError 401."""
    expected = f"Bearer {call.world.settings.of(call.system).token}"
    given = call.headers.get("authorization", "")
    expired = bool(call.fire(FaultKind.EXPIRE_CREDENTIAL))
    if expired or not secrets.compare_digest(given.encode(), expected.encode()):
        reason = "The token has expired." if expired else "The bearer token is missing or wrong."
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise ApiError(401, "invalid_token", reason, headers=headers)


def _run_once(call: Call, handler: Handler, key: str) -> Answer:
    if len(key) > 255:
        raise invalid(("Idempotency-Key", "must be at most 255 characters"))
    fingerprint = hashlib.sha256(f"{call.method} {call.path}\n".encode() + call.raw).hexdigest()
    row = call.store.execute("SELECT * FROM idempotency WHERE system = ? AND key = ?", (call.system, key)).fetchone()
    if row is None:
        answer = handler(call)
        call.store.execute(
            "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?)",
            (call.system, key, fingerprint, answer.status, json.dumps(answer.body)),
        )
        return answer
    if row["fingerprint"] != fingerprint:
        raise ApiError(422, "idempotency_key_reused", "This Idempotency-Key was used for another request.")
    return Answer(row["status"], json.loads(row["body"]), {"Idempotent-Replayed": "true"})


async def _wait(call: Call) -> None:
    delay_ms = sum(fault.params.ms or 0 for fault in call.fire(FaultKind.LATENCY))
    if delay_ms:
        await asyncio.sleep(delay_ms / 1000)


def _strike(fault: fault_rules.Fault, world: World) -> Response:
    status = fault.params.status
    if status is None:
        return CutConnection(world.connections)
    code = {429: "rate_limited", 503: "unavailable"}.get(status, "fault")
    error = ApiError(status, code, f"The {fault.system} system answers {status} (fault {fault.id}).")
    headers = {} if fault.params.retry_after is None else {"Retry-After": str(fault.params.retry_after)}
    return Answer(status, error.body(), headers).render()


def _rename(call: Call, answer: Answer) -> Answer:
    struck = call.fire(FaultKind.RENAME_FIELD)
    if not struck or not isinstance(answer.body, dict):
        return answer
    body = answer.body
    if isinstance(body.get("items"), list):
        body = {**body, "items": fault_rules.rename_all(body["items"], struck)}
    else:
        body = fault_rules.rename_all(body, struck)
    return Answer(answer.status, body, answer.headers)
