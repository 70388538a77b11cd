"""The navigation's count of staged documents."""

from __future__ import annotations

from typing import Any

from meshline.kernel.navigation import Badge
from meshline.kernel.ui_enums import Tone
from syncflows.engine.soft import selectors


def of_staged(user: Any) -> Badge | None:
    """Up to a thousand; one look at an index."""
    return Badge(selectors.waiting_count(), "staged documents", Tone.BLUE)
