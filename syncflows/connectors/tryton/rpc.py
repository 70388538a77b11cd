"""One server's JSON-RPC: sessions, acknowledged warnings, and every failure as one of ours. Knows no model of Tryton by name but the user's.

Writes of one process go one at a time: Tryton gains nothing from more (it serves one call at a time), and on SQLite parallel writers fail falsely.
"""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx

from syncflows.connectors.errors import AuthRefused
from syncflows.connectors.tryton import coding, errors
from syncflows.connectors.tryton.settings import Settings

WARNINGS_MAX = 10
# Tryton answers 429 even to the right password after a few wrong ones; so a refused one is not tried again at once.
REFUSED_FOR_S = 5.0
_correlation: ContextVar[Mapping[str, str]] = ContextVar("correlation", default={})  # noqa: B039 - replaced, never changed


@dataclass(frozen=True)
class Session:
    authorization: str
    user_id: int
    context: dict[str, Any]


class Rpc:
    """Used by several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._http = httpx.Client(timeout=httpx.Timeout(settings.read_s, connect=settings.connect_s), trust_env=False)
        self._address = f"{settings.base_url}/{settings.options.database}/rpc/"
        self._ids = itertools.count(1)
        self._login, self._writer = threading.Lock(), threading.Lock()
        self._session: Session | None = None
        self._refused: tuple[float, AuthRefused] | None = None

    def read(self, method: str, *arguments: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Call what changes nothing."""
        return self._call(method, arguments, writes=False, context=context or {})

    def write(self, method: str, *arguments: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Call what changes something: once, but for warnings that the definition accepts. Raises OutcomeUnknown where no answer came."""
        with self._writer:
            for _ in range(WARNINGS_MAX):
                try:
                    return self._call(method, arguments, writes=True, context=context or {})
                except errors.WarningAsked as asked:
                    self._acknowledge(asked)
            return self._call(method, arguments, writes=True, context=context or {})

    def search(
        self,
        model: str,
        domain: list[Any],
        fields: list[str],
        *,
        limit: int | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Records in the order of their ids."""
        found: list[dict[str, Any]] = self.read(
            f"model.{model}.search_read", domain, 0, limit, [["id", "ASC"]], fields, context=context
        )
        return found

    def session(self) -> Session:
        """The current session, or a new one. Raises AuthRefused."""
        with self._login:
            if self._session is None:
                self._session = self._log_in()
            return self._session

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, arguments: tuple[Any, ...], *, writes: bool, context: Mapping[str, Any]) -> Any:
        session = self.session()
        try:
            return self._send(session, method, arguments, writes=writes, context=context)
        except errors.SessionEnded:
            self._forget(session)
            return self._send(self.session(), method, arguments, writes=writes, context=context)

    def _send(
        self, session: Session, method: str, arguments: tuple[Any, ...], *, writes: bool, context: Mapping[str, Any]
    ) -> Any:
        return self._post(
            method, [*arguments, {**session.context, **context}], writes=writes, authorization=session.authorization
        )

    def _post(self, method: str, parameters: list[Any], *, writes: bool, authorization: str = "") -> Any:
        headers = {**_correlation.get(), "Content-Type": "application/json"} | (
            {"Authorization": authorization} if authorization else {}
        )
        body = coding.dumps({"id": next(self._ids), "method": method, "params": parameters})
        try:
            response = self._http.post(self._address, content=body, headers=headers)
        except httpx.RequestError as error:
            raise errors.from_transport(error, method=method, writes=writes, address=self.settings.base_url) from error
        if response.status_code != httpx.codes.OK:
            raise errors.from_status(response, method=method, writes=writes)
        return _result(response, method=method, writes=writes)

    def _log_in(self) -> Session:
        if self._refused and time.monotonic() < self._refused[0]:
            raise self._refused[1]
        try:
            return self._open()
        except AuthRefused as error:
            refused = AuthRefused(
                f"Tryton refuses the user or password of system {self.settings.name!r}; see {self.settings.username.env} and {self.settings.password.env}.",
                context=error.context,
            )
            self._refused = (time.monotonic() + REFUSED_FOR_S, refused)
            raise refused from error

    def _open(self) -> Session:
        user, options = self.settings.username.value(), self.settings.options
        user_id, token, *_ = self._post(
            "common.db.login", [user, {"password": self.settings.password.value()}, options.language], writes=False
        )
        authorization = "Session " + base64.b64encode(f"{user}:{user_id}:{token}".encode()).decode()
        preferences = self._post(
            "model.res.user.get_preferences", [True, {}], writes=False, authorization=authorization
        )
        context = {
            name: preferences[name] for name in ("company", "employee", "groups") if preferences.get(name) is not None
        }
        context |= {"language": options.language} | ({"company": options.company} if options.company else {})
        return Session(authorization, user_id, context)

    def _forget(self, session: Session) -> None:
        with self._login:
            if self._session is session:
                self._session = None

    def _acknowledge(self, asked: errors.WarningAsked) -> None:
        if asked.context["warning"] not in self.settings.options.accept_warnings:
            raise asked
        self._call("model.res.user.warning.skip", (asked.warning, False), writes=True, context={})


def _result(response: httpx.Response, *, method: str, writes: bool) -> Any:
    try:
        answer = coding.loads(response.text)
    except ValueError as error:
        raise errors.unreadable(response, method=method, writes=writes) from error
    if isinstance(answer, dict) and "error" in answer:
        raise errors.from_answer(answer["error"], method=method)
    if not isinstance(answer, dict) or "result" not in answer:
        raise errors.unreadable(response, method=method, writes=writes)
    return answer["result"]


@contextmanager
def correlated(headers: Mapping[str, str]) -> Iterator[None]:
    """Calls inside carry these headers (traceparent)."""
    token = _correlation.set(headers)
    try:
        yield
    finally:
        _correlation.reset(token)
