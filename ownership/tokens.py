"""API credentials: made once, kept as a digest, checked on each call."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from meshline.audit import ledger
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Invalid, Missing
from ownership.enums import Role, Scope
from ownership.models import ApiToken, User

PREFIX = "msh_"
TOUCH_EVERY = timedelta(minutes=1)
REMEMBERED_S = 2.0  # how long a process trusts what it saw of a token: a revoked one ends everywhere within this time
REMEMBERED_TOKENS_MAX = 1000
_remembered: dict[str, tuple[float, ApiToken]] = {}


def create(
    *, name: str, scopes: Collection[str], by: Actor, systems: Collection[str] = (), lifetime: timedelta | None = None
) -> tuple[ApiToken, str]:
    """Make a credential with its own service identity. Returns the row and the secret, which is shown this once.

    Raises Invalid for an empty name and for unknown scopes.
    """
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown or not scopes:
        raise Invalid(
            f"Unknown scope {', '.join(unknown) or '(none given)'}. Scopes: {', '.join(Scope.values)}.",
            code="unknown_scope",
        )
    if not name.strip():
        raise Invalid("A token needs a name that says who uses it.", code="name_missing")
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            name=name.strip(), user=_service_user(name.strip()), digest=_digest(secret), scopes=sorted(scopes), systems=sorted(systems),
            created_by=str(by), expires_at=timezone.now() + lifetime if lifetime else None,
        )  # fmt: skip
        ledger.append(
            act="token.created",
            by=by,
            object_kind="token",
            object_id=token.public_id,
            detail={"name": name, "scopes": sorted(scopes)},
        )
    return token, secret


def authenticate(secret: str) -> ApiToken | None:
    """The live token of this secret, or None. Records its use at most once a minute."""
    now, seen_at = timezone.now(), time.monotonic()
    live = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now)) & Q(user__is_active=True)
    token = ApiToken.objects.select_related("user").filter(live, digest=_digest(secret)).first()
    if token and (token.last_used_at is None or token.last_used_at < now - TOUCH_EVERY):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    _remember(secret, token, seen_at)
    return token


def remembered(secret: str) -> ApiToken | None:
    """The token of this secret if `authenticate` found it within the last `REMEMBERED_S` and it has not expired since. Asks nobody."""
    seen_at, token = _remembered.get(_digest(secret), (0.0, None))
    if token is None or time.monotonic() - seen_at >= REMEMBERED_S:
        return None
    return token if token.expires_at is None or token.expires_at > timezone.now() else None


def revoke(*, public_id: str, by: Actor) -> None:
    """End a credential now. Raises Missing. Idempotent: on the token."""
    with transaction.atomic():
        if not ApiToken.objects.filter(public_id=public_id).update(revoked_at=timezone.now()):
            raise Missing(f"There is no token {public_id}.")
        ledger.append(act="token.revoked", by=by, object_kind="token", object_id=public_id)
    _remembered.clear()


def _remember(secret: str, token: ApiToken | None, seen_at: float) -> None:
    """Only tokens that are live; a full memory begins anew."""
    if token is None:
        _remembered.pop(_digest(secret), None)
        return
    if len(_remembered) >= REMEMBERED_TOKENS_MAX:
        _remembered.clear()
    _remembered[_digest(secret)] = (seen_at, token)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _service_user(name: str) -> User:
    user = User(username=f"service-{secrets.token_hex(6)}", first_name=name[:150], role=Role.SERVICE)
    user.set_unusable_password()
    user.save()
    return user
