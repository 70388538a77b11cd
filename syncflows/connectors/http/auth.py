"""Our credential towards one system, as headers. Secrets are resolved at each use, so that a renewed one counts at once.

OAuth 2.0 client credentials: RFC 6749 4.4, client authenticated by Basic (2.3.1).
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from urllib.parse import quote_plus, urlencode

from syncflows.connectors.errors import AuthRefused, ConnectorError, Misconfigured, Outage, Transient
from syncflows.connectors.http import details, requests
from syncflows.connectors.http.answers import retry_after_s
from syncflows.connectors.http.secrets import Redactor, resolve
from syncflows.connectors.http.transport import Outgoing, Reply
from syncflows.governance.schemas import systems

RENEW_BEFORE_S = 30.0
DEFAULT_LIFE_S = 300.0
Send = Callable[[Outgoing], Reply]


class Credential:
    """headers(): what to send. renew(): drop what was refused; True where another try with a fresh one makes sense."""

    def __init__(self, spec: systems.Auth, *, redactor: Redactor) -> None:
        self.spec = spec
        self.redactor = redactor

    def headers(self) -> dict[str, str]:
        """Raises Misconfigured, and for OAuth AuthRefused or Outage."""
        return {}

    def renew(self, refused: dict[str, str]) -> bool:
        return False

    def _secret(self, name: str) -> str:
        return resolve(getattr(self.spec, name), where=f"spec.auth.{name}", redactor=self.redactor)


class Bearer(Credential):
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._secret('token')}"}


class Basic(Credential):
    def headers(self) -> dict[str, str]:
        return {"authorization": _basic(self._secret("username"), self._secret("password"), self.redactor)}


class Header(Credential):
    def headers(self) -> dict[str, str]:
        return {self.spec.name.lower(): self._secret("value")}


class ClientCredentials(Credential):
    """One token for all threads, renewed 30 s before it ends."""

    def __init__(self, spec: systems.Auth, *, redactor: Redactor, system: str, send: Send) -> None:
        super().__init__(spec, redactor=redactor)
        self.system = system
        self._send = send
        self._lock = threading.Lock()
        self._token = ""
        self._ends_s = 0.0

    def headers(self) -> dict[str, str]:
        with self._lock:
            if not self._token or time.monotonic() >= self._ends_s:
                self._fetch()
            return {"authorization": f"Bearer {self._token}"}

    def renew(self, refused: dict[str, str]) -> bool:
        with self._lock:
            if refused.get("authorization") == f"Bearer {self._token}":
                self._token = ""
        return True

    def _fetch(self) -> None:
        self._token, reply = "", self._ask()
        answer = reply.answer_or_none()
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not 200 <= reply.status < 300 or not isinstance(token, str) or not token.isprintable() or not token:
            raise self._refused(reply)
        self._token = self.redactor.learn(token)
        self._ends_s = time.monotonic() + max(0.0, _life_s(answer) - RENEW_BEFORE_S)

    def _ask(self) -> Reply:
        form = {"grant_type": "client_credentials"} | ({"scope": self.spec.scope} if self.spec.scope else {})
        user, password = (quote_plus(self._secret(name)) for name in ("client_id", "client_secret"))
        headers = {
            "authorization": _basic(user, password, self.redactor),
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        content = urlencode(form).encode()
        return self._send(
            Outgoing("POST", self.spec.token_url, "token request", writes=False, headers=headers, content=content)
        )

    def _refused(self, reply: Reply) -> ConnectorError:
        said = details.read(reply.answer_or_none())
        message = f"{self.system}: no access token from spec.auth.token_url ({reply.status}){': ' + said.sentence if said.sentence else ''}."
        message, context = (
            self.redactor.scrub(message),
            {"status": reply.status, "code": self.redactor.scrub(said.code)},
        )
        if reply.status == 429 or reply.status >= 500:
            kind: type[Transient] = Outage if reply.status >= 500 else Transient
            return kind(message, retry_after_s=retry_after_s(reply.headers), context=context)
        return AuthRefused(message, context=context)


PLAIN: dict[str, type[Credential]] = {"none": Credential, "bearer": Bearer, "basic": Basic, "header": Header}
NEEDS = {
    "none": (),
    "bearer": ("token",),
    "basic": ("username", "password"),
    "header": ("name", "value"),
    "oauth2_client_credentials": ("token_url", "client_id", "client_secret"),
}


def credential(spec: systems.Auth, *, system: str, redactor: Redactor, send: Send) -> Credential:
    """Raises Misconfigured where the type's settings are missing."""
    for name in NEEDS[spec.type]:
        if not getattr(spec, name):
            raise Misconfigured(
                f"{system}: spec.auth.{name} is missing; auth of type {spec.type} needs {', '.join(NEEDS[spec.type])}."
            )
    if spec.type in PLAIN:
        return PLAIN[spec.type](spec, redactor=redactor)
    requests.check_base_url(spec.token_url, where="spec.auth.token_url")
    return ClientCredentials(spec, redactor=redactor, system=system, send=send)


def _basic(user: str, password: str, redactor: Redactor) -> str:
    return f"Basic {redactor.learn(base64.b64encode(f'{user}:{password}'.encode()).decode())}"


def _life_s(answer: dict[str, object]) -> float:
    """`expires_in`, which some servers write as text."""
    try:
        return float(str(answer.get("expires_in", DEFAULT_LIFE_S)))
    except ValueError:
        return DEFAULT_LIFE_S
