"""The API over real HTTP: `api("tickets:read")` is a client whose token carries these scopes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from meshline.kernel import actors
from ownership import tokens
from ownership.enums import Scope
from ownership.models import Team

Api = Callable[..., httpx.Client]
BY = actors.system("tests")


@pytest.fixture
def api(live_server: Any) -> Iterator[Api]:
    """`api()` carries every scope; `api(anonymous=True)` none and no token; `team` makes its service user a member."""
    with ExitStack() as stack:

        def client(*scopes: str, anonymous: bool = False, team: Team | None = None) -> httpx.Client:
            headers = {}
            if not anonymous:
                token, secret = tokens.create(name="service desk", scopes=scopes or Scope.values, by=BY)
                headers["Authorization"] = f"Bearer {secret}"
                if team:
                    team.members.add(token.user)
            return stack.enter_context(
                httpx.Client(base_url=f"{live_server.url}/api/v1/", headers=headers, timeout=20, trust_env=False)
            )

        yield client
