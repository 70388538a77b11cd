"""How the API's credentials stand in its OpenAPI document. An operation's requirement names the scope it asks (OpenAPI 3.1 allows that for bearer tokens)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from ownership.authentication import scope_of
from ownership.enums import Scope

SCOPES = "; ".join(f"`{scope.value}` {scope.label}" for scope in Scope)


class BearerTokenScheme(OpenApiAuthenticationExtension):
    target_class = "ownership.authentication.BearerToken"
    name = "bearerToken"

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        scope = scope_of(auto_schema.view, auto_schema.method)
        return {"bearerToken": [scope] if scope else []}

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        made = 'Made with `manage.py token create NAME --scopes "…"`'
        return {"type": "http", "scheme": "bearer", "description": f"{made}. Scopes: {SCOPES}."}


class ConsoleSessionScheme(OpenApiAuthenticationExtension):
    target_class = "ownership.authentication.ConsoleSession"
    name = "consoleSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A person logged in to the console; unsafe calls also send `X-CSRFToken`.",
        }
