"""Who calls the API: a bearer token with scopes, or a person logged in to the console."""

from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.permissions import IsAuthenticated


class BearerToken(TokenAuthentication):
    keyword = "Bearer"


class ConsoleSession(SessionAuthentication):
    """The console's own session, with CSRF."""


class HasScope(IsAuthenticated):
    """The token carries the scope that the view asks for."""
