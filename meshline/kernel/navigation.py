"""The registry of the console's navigation; must not know any page or count anything itself.

An app registers a callable for its badge from its AppConfig.ready(), so nothing below imports the console.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meshline.kernel.ui_enums import Tone

User = Any  # the user model lives above the kernel


@dataclass(frozen=True)
class Badge:
    count: int
    meaning: str  # read out after the count: "open tickets of yours"
    tone: Tone = Tone.NEUTRAL


def signed_in(user: User) -> bool:
    return bool(user.is_authenticated)


@dataclass(frozen=True)
class Entry:
    key: str
    label: str
    url_name: str
    go_key: str  # second key of "g <key>"
    may_see: Callable[[User], bool] = signed_in


BadgeCounter = Callable[[User], Badge | None]
_badges: dict[str, BadgeCounter] = {}
_checks: dict[str, Callable[[User], bool]] = {}


def register_badge(key: str, counter: BadgeCounter) -> None:
    """Let `counter(user)` fill the badge of entry `key`; None or a count of 0 shows none. The last one registered wins."""
    _badges[key] = counter


def register_check(key: str, may_see: Callable[[User], bool]) -> None:
    """Narrow who sees entry `key`, on top of the entry's own check."""
    _checks[key] = may_see


def badge_for(key: str, *, user: User) -> Badge | None:
    counter = _badges.get(key)
    badge = counter(user) if counter else None
    return badge if badge and badge.count else None


def may_see(entry: Entry, *, user: User) -> bool:
    check = _checks.get(entry.key)
    return entry.may_see(user) and (check is None or check(user))
