"""Logged-in clients: `client_of(person)` is a Django test client that has that person's session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from ownership.models import User

ClientOf = Callable[[User], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def client_of(db: Any) -> ClientOf:
    def client(person: User) -> Client:
        found = Client(raise_request_exception=False)
        found.force_login(person)
        return found

    return client
