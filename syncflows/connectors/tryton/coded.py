"""Records that Tryton keeps unique by their code: the second attempt finds the first. Used for customers and products."""

from __future__ import annotations

from collections.abc import Callable

from syncflows.connectors.errors import Rejected, Transient
from syncflows.connectors.protocol import JSON, Answer
from syncflows.connectors.tryton.errors import NOT_UNIQUE


def create(code: str, *, find: Callable[[str], list[JSON]], send: Callable[[], None]) -> Answer:
    """The record of this code, made by `send` unless it is there. Idempotent: on the code, which Tryton guards.

    Raises Transient where Tryton says "must be unique" of a code that nobody has: SQLite under parallel writers does.
    """
    created = not find(code)
    if created:
        created = _send(code, find=find, send=send)
    return Answer(external_id=code, document=_active(code, find(code)), created=created)


def _send(code: str, *, find: Callable[[str], list[JSON]], send: Callable[[], None]) -> bool:
    try:
        send()
    except Rejected as error:
        if not NOT_UNIQUE.search(error.message):
            raise
        if find(code):
            return False
        raise Transient(
            f"Tryton refused {code!r} as not unique, and has no such record.",
            code="lock_conflict",
            context=error.context,
        ) from error
    return True


def _active(code: str, found: list[JSON]) -> JSON:
    if not found:
        raise Transient(f"Tryton does not show {code!r} yet.", code="not_visible_yet")
    if not found[0]["active"]:
        raise Rejected(
            f"Tryton has {code!r}, deactivated. Activate it there, or use another code.",
            code="inactive_there",
            context={"found": found[:1]},
        )
    return found[0]
