"""Who calls the API: a program with a bearer token and its scopes, or a person logged in to the console.

Only says who calls and whether the token reaches this operation; what a role may do is checked by the services.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from meshline.kernel.errors import NotAllowed
from ownership import tokens
from ownership.models import ApiToken, User

SCHEME = "Bearer"
REALM = 'realm="meshline"'


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer msh_…` (RFC 6750). `request.user` is the token's service user, `request.auth` the ApiToken."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        token = tokens.authenticate(secret.strip())
        if token is None:
            raise AuthenticationFailed(
                "This token is unknown, expired or revoked. Get a new one: manage.py token create.",
                code="invalid_token",
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        tried = request.headers.get("Authorization", "").lower().startswith(SCHEME.lower())
        return f'{SCHEME} {REALM}, error="invalid_token"' if tried else f"{SCHEME} {REALM}"


class ConsoleSession(SessionAuthentication):
    """The console's own session; unsafe calls carry its CSRF token."""


class HasScope(BasePermission):
    """The token carries the scope that the view's `required_scopes` names: one scope, or one for each method.

    A person's session may read everything the API shows; services check what their role may write.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated and request.user.is_active):
            return False
        if isinstance(request.auth, ApiToken):
            _check_scope(request.auth, scope_of(view, request.method or ""))
        return True


def scope_of(view: Any, method: str) -> str:
    """The scope this method of the view asks of a token; an empty text for a method that the view does not answer."""
    declared = getattr(view, "required_scopes", None)
    asked = "GET" if method == "HEAD" else method
    scope = declared.get(asked) if isinstance(declared, Mapping) else declared
    if not scope and hasattr(view, asked.lower()) and asked != "OPTIONS":
        raise ImproperlyConfigured(
            f"{type(view).__name__} answers {asked} and names no scope for it in required_scopes."
        )
    return str(scope or "")


def _check_scope(token: ApiToken, scope: str) -> None:
    if scope and scope not in token.scopes:
        carried = ", ".join(token.scopes) or "none"
        raise NotAllowed(
            f"This takes the scope {scope}, which the token {token.name!r} ({token.public_id}) does not carry. It carries: {carried}. Ask an admin for a token with {scope}.",
            code="missing_scope",
            context={"scope": scope},
        )
