"""`manage.py token`: the secret is printed once, and nowhere kept."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from meshline.audit.models import AuditEvent
from ownership import tokens
from ownership.models import ApiToken

pytestmark = pytest.mark.django_db


def _run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("token", *arguments, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_create_prints_a_secret_that_works_and_is_not_stored() -> None:
    made = _run("create", "service desk", "--scopes", "tickets:read tickets:write", "--systems", "crm", "--days", "30")
    token = tokens.authenticate(made["token"])
    assert token is not None
    assert (token.public_id, token.scopes, token.systems) == (made["id"], ["tickets:read", "tickets:write"], ["crm"])
    assert token.expires_at - token.created_at > timedelta(days=29)  # type: ignore[operator]
    assert made["token"] not in str(ApiToken.objects.values())
    assert AuditEvent.objects.get(act="token.created").object_id == made["id"]


def test_list_tells_no_secret_and_revoke_ends_it() -> None:
    made = _run("create", "desk", "--scopes", "tickets:read")
    assert "token" not in _run("list")["tokens"][0]
    assert _run("revoke", made["id"])["revoked_at"]
    assert tokens.authenticate(made["token"]) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create", "desk", "--scopes", "tickets:fly"], "Unknown scope tickets:fly"),
        (["create", " ", "--scopes", "tickets:read"], "needs a name"),
        (["create", "desk", "--scopes", "tickets:read", "--days", "0"], "outside 1 to 3650"),
        (["revoke", "tok_nope"], "no token tok_nope"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        _run(*arguments)
    assert ApiToken.objects.count() == 0
