"""May this person do that? A check answers None or raises NotAllowed with a sentence fit for a person.

Abilities are data: `ownership.permissions` says which role has which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshline.kernel.errors import MeshlineError, NotAllowed

Check = Callable[..., None]


def reason_against(check: Check, *args: Any, **kwargs: Any) -> str:
    """The sentence why not, or an empty text: for a disabled button's tooltip."""
    try:
        check(*args, **kwargs)
    except MeshlineError as error:
        return error.message
    return ""


def allowed(check: Check, *args: Any, **kwargs: Any) -> bool:
    return not reason_against(check, *args, **kwargs)


def deny(message: str, *, code: str | None = None, **context: Any) -> None:
    raise NotAllowed(message, code=code, context=context)
