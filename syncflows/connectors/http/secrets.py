"""Secrets: taken from the environment when they are used, and kept out of everything people read.

Never stores a secret anywhere but in this process's memory.
"""

from __future__ import annotations

import base64
import os
from urllib.parse import quote

from syncflows.connectors.errors import Misconfigured
from syncflows.governance.schemas.systems import Secret

MASK = "[secret]"
SHORTEST_MASKED = 4


class Redactor:
    """Knows the secrets of one system and takes them out of texts. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()

    def learn(self, secret: str) -> str:
        """Remember a secret and the forms it travels in; returns it."""
        if len(secret) >= SHORTEST_MASKED and secret not in self._known:
            encoded = base64.b64encode(secret.encode()).decode()
            self._known = self._known | {secret, encoded, quote(secret, safe="")}
        return secret

    def scrub(self, text: str) -> str:
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text


def resolve(secret: Secret | None, *, where: str, redactor: Redactor) -> str:
    """The secret's value. `where`: its path in the document. Raises Misconfigured naming variable and path, never the value."""
    if secret is None:
        raise Misconfigured(f"{where} is missing. Write {where.rpartition('.')[2]}: {{env: NAME_OF_A_VARIABLE}}.")
    value = (os.environ.get(secret.env) or secret.default or "").strip()
    if not value:
        raise Misconfigured(
            f"{where}: the environment variable {secret.env} is not set. Set it for Meshline's web and worker processes."
        )
    if not value.isprintable():
        raise Misconfigured(
            f"{where}: the value of {secret.env} holds a line break or control character. Set it again."
        )
    return redactor.learn(value)
