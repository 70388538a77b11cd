"""The declarative connector: everything it knows about a system stands in the system's definition.

Holds connections, an OAuth token and a token bucket; nothing a restart may not lose. Never sends a write twice on its own,
but for a write that was refused for its credential (401, 403) and is sent once more with a fresh token.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from meshline.kernel import expressions
from meshline.kernel.errors import MeshlineError
from syncflows.connectors import pacing, protocol
from syncflows.connectors.errors import AuthRefused, Misconfigured, NotFound, Rejected
from syncflows.connectors.http import answers, auth, definition, lookups, paging, requests, webhooks
from syncflows.connectors.http.secrets import Redactor, resolve
from syncflows.connectors.http.throttle import Throttle
from syncflows.connectors.http.transport import Outgoing, Reply, Transport
from syncflows.connectors.protocol import JSON, Answer, Call, Health, WebhookEvent
from syncflows.governance.schemas import systems

SUCCESS = range(200, 300)
NO_CONTENT = 204
REPLAYED = ("idempotent-replayed", "idempotency-replayed", "x-idempotent-replayed")
BASE_HEADERS = {"accept": "application/json", "user-agent": "meshline"}


class HttpConnector:
    """Implements `protocol.Connector`; shared by threads. Each of its requests waits for its turn by itself."""

    takes_turns = True

    def __init__(self, *, name: str, spec: Mapping[str, Any] | systems.System) -> None:
        self.name = name
        self.spec = definition.read(spec, name=name)
        self.redactor = Redactor()
        throttle = Throttle(
            system=name, paces=pacing.paces(self.spec.rate_limit), by_operation=pacing.narrowed(self.spec.operations)
        )
        self.transport = Transport(
            system=name, timeouts=self.spec.timeouts, concurrency=self.spec.concurrency, throttle=throttle
        )
        self.judge = answers.Judge(name, self.redactor, self.spec.errors)
        self.credential = auth.credential(self.spec.auth, system=name, redactor=self.redactor, send=self.transport.send)

    def operations(self) -> Mapping[str, protocol.Operation]:
        return definition.operations(self.spec)

    def execute(self, call: Call) -> Answer:
        """Perform one write, once. Raises OutcomeUnknown whenever it may have arrived without a trustworthy answer."""
        operation, where = self._operation(call.operation, writes=True)
        values = {"reference": call.reference, "idempotency_key": call.idempotency_key}
        values |= {"external_id": call.external_id} if call.external_id else {}
        body = self._body(operation, call, where)
        outgoing = self._outgoing(
            operation, call.operation, values=values, body=body, extra=requests.trace_headers(call.correlation)
        )
        reply = self._exchange(replace(outgoing, check=call.check), operation.errors)
        answer = self.judge.check(
            reply, purpose=call.operation, writes=True, success=operation.success, rules=operation.errors
        )
        return self._answered(operation, call, reply, answer)

    def find(self, operation: str, *, reference: str) -> list[Answer]:
        """Raises Misconfigured where the answer does not show whether a document carries the reference."""
        details, where = self._operation(operation, writes=True)
        find = definition.finding(self.spec, operation)
        if find is None:
            raise Misconfigured(
                f"{self.name}: {where}.find is missing, so nothing can be looked up. Declare how to look up by {{reference}}."
            )
        reply = self._look_up(operation, find, reference, f"{where}.find", details)
        if reply is None or reply.status == NO_CONTENT:
            return []
        answer = self._said(reply, f"{operation}, look-up")
        return lookups.read(
            find,
            answer=answer,
            headers=dict(reply.headers),
            status=reply.status,
            reference=reference,
            where=f"{where}.find",
        )

    def list_window(self, operation: str, *, since: datetime, until: datetime) -> Iterator[JSON]:
        """Every document of [since, until), as far as the system's filter goes; page after page."""
        details, where = self._operation(operation, writes=False)
        values = _window(since, until)

        def fetch(ask: paging.Ask) -> paging.Page:
            return self._page(operation, details, values, ask, where)

        for page in paging.walk(details.paging, fetch=fetch, where=f"{where}.paging"):
            yield from page.items

    def get(self, operation: str, *, external_id: str) -> JSON:
        """Raises NotFound."""
        details, where = self._operation(operation, writes=False)
        outgoing = self._outgoing(
            details, operation, values={"external_id": external_id, "reference": external_id}, body=None
        )
        reply = self._exchange(outgoing, details.errors)
        self.judge.check(reply, purpose=operation, writes=False, success=SUCCESS, rules=details.errors)
        variables = {"answer": self._said(reply, operation), "headers": dict(reply.headers), "status": reply.status}
        found = lookups.objects(details.document or "answer", variables, where=f"{where}.document")
        if len(found) != 1:
            raise Misconfigured(
                f"{self.name}: {where}.document gives {len(found)} documents for the id {external_id!r}; one is expected."
            )
        return found[0]

    def verify_webhook(
        self, *, headers: Mapping[str, str], body: bytes, now: datetime, uri: str = ""
    ) -> list[WebhookEvent]:
        if self.spec.webhook is None:
            raise Misconfigured(f"{self.name} sends no webhooks: spec.webhook is missing in its definition.")
        return webhooks.receive(self.spec.webhook, headers=headers, body=body, now=now, uri=uri, redactor=self.redactor)

    def health(self) -> Health:
        """Never raises."""
        started_s = time.monotonic()
        try:
            detail = self._ask_health()
        except MeshlineError as error:
            return Health(False, error.message, _since_ms(started_s))
        except Exception as error:  # noqa: BLE001 - a health check that fails is an answer, not a failure
            return Health(
                False, f"{self.name}: the check itself failed ({type(error).__name__}).", _since_ms(started_s)
            )
        return Health(True, detail, _since_ms(started_s))

    def close(self) -> None:
        self.transport.close()

    def _operation(self, name: str, *, writes: bool) -> tuple[systems.Operation, str]:
        """Raises Misconfigured for a name that is not there, and for asking a write to read or a read to write."""
        where = f"spec.operations.{name}"
        found = self.spec.operations.get(name)
        if found is None:
            known = ", ".join(sorted(self.spec.operations)) or "none"
            raise Misconfigured(f"{self.name} has no operation {name!r}. Operations: {known}. Add {where}.")
        if definition.writes(found) != writes:
            kind = "only reads" if writes else "writes, so nothing can be read with it"
            raise Misconfigured(
                f"{self.name}: {where} ({found.method}) {kind}. Nothing was sent; name another operation."
            )
        return found, where

    def _base_url(self) -> str:
        url = self.spec.base_url
        if isinstance(url, systems.Secret):
            url = resolve(url, where="spec.base_url", redactor=Redactor())  # an address is no secret; it may be shown
        if not url:
            raise Misconfigured(f"{self.name}: spec.base_url is missing, for example https://erp.example.com/api.")
        return requests.check_base_url(url)

    def _body(self, operation: systems.Operation, call: Call, where: str) -> bytes | None:
        variables = {"document": call.document, "reference": call.reference, "idempotency_key": call.idempotency_key}
        variables["external_id"] = call.external_id
        default = call.document if operation.method != "DELETE" else None
        body: bytes | None = self._built(
            lambda: requests.build_body(operation.body, variables=variables, default=default, where=f"{where}.body")
        )
        return body

    def _outgoing(
        self,
        operation: systems.Operation,
        name: str,
        *,
        values: Mapping[str, str],
        body: bytes | None,
        extra: Mapping[str, str] | None = None,
    ) -> Outgoing:
        where = f"spec.operations.{name}"
        base = self._base_url()
        url = self._built(
            lambda: requests.build_url(
                base_url=base, path=operation.path, query=operation.query, values=values, where=where
            )
        )
        headers = BASE_HEADERS | ({"content-type": "application/json"} if body is not None else {})
        headers |= self._built(
            lambda: requests.build_headers(operation.headers, values=values, where=f"{where}.headers")
        )
        return Outgoing(operation.method, url, name, definition.writes(operation), {**headers, **(extra or {})}, body)

    def _built(self, build: Any) -> Any:
        """Raises Rejected for text that no encoding can carry, Misconfigured for a value that is no JSON."""
        try:
            return build()
        except UnicodeError as error:
            raise Rejected(
                f"{self.name}: the document holds a broken character (half of a pair), which cannot be sent. Correct it."
            ) from error
        except (TypeError, ValueError) as error:
            raise Misconfigured(f"{self.name}: the request cannot be built: {error}. Nothing was sent.") from error

    def _exchange(self, outgoing: Outgoing, rules: list[systems.ErrorRule]) -> Reply:
        """One request with our credential; once more with a fresh one where the first was refused for it."""
        reply, sent = self._send(outgoing)
        refused = self.judge.error_by_rule(reply, purpose=outgoing.purpose, rules=[*rules, *self.spec.errors])
        if refused is None and reply.status in (401, 403):
            refused = self.judge.error_by_status(reply, purpose=outgoing.purpose, writes=outgoing.writes)
        if isinstance(refused, AuthRefused) and self.credential.renew(sent):
            reply, _ = self._send(outgoing)
        return reply

    def _send(self, outgoing: Outgoing) -> tuple[Reply, dict[str, str]]:
        credential = self.credential.headers()
        headers = {**outgoing.headers, **credential}
        return self.transport.send(replace(outgoing, headers=headers)), credential

    def _answered(self, operation: systems.Operation, call: Call, reply: Reply, answer: Any) -> Answer:
        variables = {
            "answer": answer,
            "headers": dict(reply.headers),
            "status": reply.status,
            "document": call.document,
        }
        external_id = self._external_id(operation, call, variables)
        if not external_id:
            why = "the answer does not hold the document's id."
            raise self.judge.unreadable(reply, purpose=call.operation, writes=True, why=why)
        repeated = any(reply.headers.get(name, "").lower() == "true" for name in REPLAYED)
        created = reply.status == 201 or (operation.method == "POST" and not call.external_id)
        return Answer(external_id, _document(operation, variables), created and not repeated)

    def _external_id(self, operation: systems.Operation, call: Call, variables: dict[str, Any]) -> str:
        if operation.external_id is None:
            return call.external_id or call.reference
        try:
            found = expressions.compiled(operation.external_id).evaluate(variables)
        except MeshlineError:
            return ""
        return "" if isinstance(found, bool) or not isinstance(found, str | int) else str(found).strip()

    def _look_up(
        self, operation: str, find: systems.Find, reference: str, where: str, details: systems.Operation
    ) -> Reply | None:
        """The answer to a look-up; None for "there is none"."""
        values, base = {"reference": reference}, self._base_url()
        url = self._built(
            lambda: requests.build_url(base_url=base, path=find.path, query=find.query, values=values, where=where)
        )
        body = self._built(
            lambda: requests.build_body(find.body, variables=values, default=None, where=f"{where}.body")
        )
        headers = BASE_HEADERS | ({"content-type": "application/json"} if body is not None else {})
        outgoing = Outgoing(find.method, url, f"{operation}, look-up", False, headers, body)
        reply = self._exchange(outgoing, details.errors)
        try:
            self.judge.check(reply, purpose=outgoing.purpose, writes=False, success=SUCCESS, rules=details.errors)
        except NotFound:
            self._refuse_web_page(reply, outgoing.purpose)
            return None
        return reply

    def _refuse_web_page(self, reply: Reply, purpose: str) -> None:
        """A 404 page of a proxy says nothing about our document."""
        if "html" in reply.headers.get("content-type", "").lower():
            raise self.judge.unreadable(
                reply, purpose=purpose, writes=False, why="the answer is a web page, not the system's own."
            )

    def _page(
        self, name: str, details: systems.Operation, values: Mapping[str, str], ask: paging.Ask, where: str
    ) -> paging.Page:
        body = self._built(
            lambda: requests.build_body(details.body, variables=dict(values), default=None, where=f"{where}.body")
        )
        plain = self._outgoing(details, name, values=values, body=body)
        url = ask.url or requests.with_query(plain.url, ask.query)
        outgoing = Outgoing(plain.method, url, name, False, plain.headers, plain.content)
        reply = self._exchange(outgoing, details.errors)
        self.judge.check(reply, purpose=name, writes=False, success=SUCCESS, rules=details.errors)
        if reply.status == NO_CONTENT:
            return paging.Page([], None, reply.headers, url)
        answer = self._said(reply, name)
        source = details.items or ("answer" if isinstance(answer, list) else "answer.items")
        variables = {"answer": answer, "headers": dict(reply.headers), "status": reply.status, **values}
        return paging.Page(lookups.objects(source, variables, where=f"{where}.items"), answer, reply.headers, url)

    def _said(self, reply: Reply, purpose: str) -> Any:
        """A read's answer, which must say something. Raises Transient."""
        answer = reply.answer_or_none()
        if answer is None:
            raise self.judge.unreadable(reply, purpose=purpose, writes=False, why="the answer is empty.")
        return answer

    def _ask_health(self) -> str:
        if not self.spec.base_url:
            return f"{self.name} is not called; it only sends to us."
        outgoing = Outgoing("GET", self._base_url() + (self.spec.health or "/"), "health check", False, BASE_HEADERS)
        reply = self._exchange(outgoing, [])
        error = self.judge.error_by_rule(reply, purpose="health check", rules=self.spec.errors)
        if error is None and (reply.status >= 500 or (self.spec.health and reply.status not in SUCCESS)):
            error = self.judge.error_by_status(reply, purpose="health check", writes=False)
        if error is not None:
            raise error
        if self.spec.health:
            return f"{self.name} answers and accepts our credential."
        return f"{self.name} answers. Its definition names no health path, so the credential was not checked."


def _document(operation: systems.Operation, variables: dict[str, Any]) -> JSON:
    """What the far side holds now, as it said; the whole answer where the expression finds nothing."""
    try:
        found = (
            expressions.compiled(operation.document).evaluate(variables) if operation.document else variables["answer"]
        )
    except MeshlineError:
        found = variables["answer"]
    return found if isinstance(found, dict) else {} if found is None else {"answer": found}


def _window(since: datetime, until: datetime) -> dict[str, str]:
    """UTC, whole seconds (until rounded up), written with Z; the dates are those of the same moments."""
    since, until = since.astimezone(UTC), (until + timedelta(microseconds=999_999)).astimezone(UTC)
    return {
        "since": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "since_date": since.date().isoformat(),
        "until_date": until.date().isoformat(),
    }


def _since_ms(started_s: float) -> int:
    return round((time.monotonic() - started_s) * 1000)
