"""May this person change definitions, and do these signatures count? Checks raise a sentence fit for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshline.kernel.actors import Actor
from meshline.kernel.permissions import deny
from ownership.enums import Role
from ownership.models import User
from ownership.permissions import Ability, abilities_of, check_user_can
from syncflows.governance.enums import Kind
from syncflows.governance.validation import Loaded


def check_author(by: Actor, changed: Iterable[Loaded]) -> None:
    """Meshline itself and the command line may; a person needs the ability. Raises NotAllowed."""
    if by.user_id is None:
        return
    author = User.objects.get(pk=by.user_id)
    check_user_can(author, Ability.CHANGE_DEFINITIONS)
    if Ability.ADMINISTER not in abilities_of(author):
        _check_makes_no_admin(changed)


def check_signers(names: Sequence[str], *, by: Actor) -> None:
    """Four eyes: signers are people who are there, and none of them is the author. Raises NotAllowed."""
    for name in names:
        signer = User.objects.filter(username=name, is_active=True).exclude(role=Role.SERVICE).first()
        if signer is None:
            deny(
                f"There is no active person {name!r}, so nobody has signed. Sign as somebody who can log in.",
                signer=name,
            )
        elif signer.pk == by.user_id:
            deny(f"{name} wrote this change and cannot sign it too: four eyes. Let somebody else sign.", signer=name)


def _check_makes_no_admin(changed: Iterable[Loaded]) -> None:
    admins = set(User.objects.filter(role=Role.ADMIN).values_list("username", flat=True))
    for found in changed:
        if found.kind == Kind.PERSON and found.spec.role == Role.ADMIN and found.name not in admins:
            deny(f"Only an admin may make {found.name} an admin. Let an admin apply this.", person=found.name)
